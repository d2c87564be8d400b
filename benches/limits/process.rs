//! The servers as processes: start them, read what the operating system says about them, stop them.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// Longer than any start or stop may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From exec to the first 200 of `/health`.
    pub started_in: Duration,
}

impl Server {
    /// Starts a command and waits until `/health` answers 200.
    pub fn start(command: &mut Command, address: SocketAddr) -> io::Result<Self> {
        let start = Instant::now();
        let child = command.spawn()?;
        let mut server = Self { child, address, started_in: Duration::ZERO };
        while !healthy(address) {
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended while starting: {status}")));
            }
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other("the server does not become healthy"));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        server.started_in = start.elapsed();
        Ok(server)
    }

    /// User and system time of all its threads so far.
    pub fn cpu(&self) -> Duration {
        match self.scheduled() {
            Ok(Duration::ZERO) | Err(_) => self.ticks().unwrap_or_default(),
            Ok(time) => time,
        }
    }

    /// To the nanosecond, where the kernel keeps it. A thread that ends takes its time along, but the
    /// threads that do the work live as long as the server.
    fn scheduled(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// To the hundredth of a second, which every kernel has.
    fn ticks(&self) -> io::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in parentheses that may hold spaces; `utime` is the twelfth after it.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// A size field of `/proc/PID/status`, such as `VmRSS`, in bytes.
    pub fn memory(&self, field: &str) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kibibytes = line.and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes.map(|size| size << 10).ok_or_else(|| io::Error::other("no such field in status"))
    }

    /// Asks it to end, and waits until it has closed its store.
    pub fn stop(mut self) -> io::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                let failed = || io::Error::other(format!("the server ended badly: {status}"));
                return status.success().then_some(()).ok_or_else(failed);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(io::Error::other("the server does not end"))
    }

    /// Ends it on the spot, as a crash would.
    pub fn crash(&self) -> io::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::KILL).map_err(io::Error::from)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address nobody listens on just now.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Lets this process and the servers it starts open as many files as the system allows.
pub fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn healthy(address: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
