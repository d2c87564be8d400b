//! Measures the service against the raw limits of what it stands on, each limit taken in the same run.
//!
//! The server runs as a process of its own, so that its CPU time can be read from the operating system;
//! so does the bare hyper server it is compared with, which is this program executing itself again.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop on the spot")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time, and the bare store")]
#![expect(clippy::cast_precision_loss, reason = "figures for people need no 53 bits")]

mod accounts;
mod admin;
mod bare;
mod bench;
mod compare;
mod limits;
mod load;
mod options;
mod process;
mod raw;
mod report;
mod rows;
mod wire;

use std::io;
use std::process::ExitCode;

use crate::bench::Bench;
use crate::options::Options;
use crate::report::Report;

/// The service's own, so that bare hyper and raw argon2 stand on the same memory as it does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, answer, port] = &arguments[..]
        && flag == bare::FLAG
    {
        return exit(bare::serve(answer, port));
    }
    match Options::parse(&arguments) {
        Ok(options) => exit(measure(options)),
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

fn exit(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("limits: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> io::Result<()> {
    process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bench = Bench::new(options)?;
    let mut report = Report::default();
    runtime.block_on(rows::measure(&bench, &mut report));
    print!("{}", report.markdown(&bench));
    if report.failures() { Err(io::Error::other("some rows could not be measured")) } else { Ok(()) }
}
