//! A running server: listener, administration socket, what has to be done now and then, and an end in bounded time.
mod connections;
mod data_dir;
mod listener;
mod logging;
mod span_fields;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin::socket;
use crate::app::App;
use crate::base::{Env, Error, PageRequest, Result};
use crate::config::{Config, Http};
use crate::store::{Options, Store};

pub use data_dir::prepare as prepare_data_dir;
pub use listener::serve as serve_listener;
pub use logging::start as start_logging;

/// How often what was gathered in memory is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How often what is over is swept.
const TEND_EVERY: Duration = Duration::from_secs(60);
const BYTES_PER_MIB: usize = 1024 * 1024;
/// File descriptors that are not for connections: the store, sockets, standard streams, commands.
const OTHER_FILES: usize = 64;
/// Where commands look when nobody says otherwise.
const DEFAULT_DATA_DIR: &str = "./data";

/// Opens the store of a data directory as the configuration says.
///
/// # Errors
/// `Error::Unavailable` when the directory or the store cannot be used.
pub fn open_store(config: &Config) -> Result<Store> {
    prepare_data_dir(&config.data_dir)?;
    let options = Options::in_directory(&config.data_dir, crate::app::SCHEMA);
    let cache_bytes = config.store.cache_mib.saturating_mul(BYTES_PER_MIB);
    Store::open(&config.data_dir, Options { cache_bytes, ..options })
}

/// Serves until SIGTERM or SIGINT, then finishes what runs and closes the store.
///
/// # Errors
/// `Error::Unavailable` when the address, the data directory, the store or the keys cannot be used.
pub async fn run(config: Config, store: Store) -> Result<()> {
    // Before anybody is told that the server runs: a signal that comes at once ends it in good order, too.
    let signals = Signals::watch()?;
    let address = config.listen;
    let bound = TcpListener::bind(address).await;
    let tcp = bound.map_err(|cause| Error::unavailable(format!("cannot listen on {address}: {cause}")))?;
    let address = tcp.local_addr().map_err(Error::unavailable)?;
    // With port 0 the public URL follows the port that the system chose.
    let config = Config { listen: address, ..config };
    let admin_socket = socket::listen(&config.data_dir)?;
    let app = App::open(config, Env::system(), store).await?;
    app.declare().await?;
    let (stop, stopped) = watch::channel(false);
    let endpoint = Arc::new(app.endpoint(|route| route));
    let limits = within_file_limit(app.config.http.clone());
    let served = tokio::spawn(listener::serve(tcp, endpoint, limits, stopped));
    let admin = tokio::spawn(socket::serve(admin_socket, app.admin()));
    let tending = tokio::spawn(tend(app.clone()));
    let mailing = tokio::spawn(app.mail.clone().run());
    let telling = tokio::spawn(app.backchannel.as_ref().clone().run());
    announce(&app, address).await;
    signals.first().await;
    tracing::info!("stopping");
    // Nobody listens any more when the listener has already ended.
    let _ = stop.send(true);
    if let Err(error) = served.await {
        tracing::error!(%error, "the listener panicked");
    }
    admin.abort();
    tending.abort();
    mailing.abort();
    telling.abort();
    app.finish().await;
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || store.close()).await.map_err(Error::internal)?;
    tracing::info!("stopped");
    Ok(())
}

async fn tend(app: App) {
    let timer = |every| {
        let mut timer = tokio::time::interval(every);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer
    };
    let (mut sweeps, mut gathered) = (timer(TEND_EVERY), timer(WRITE_EVERY));
    loop {
        tokio::select! {
            _ = sweeps.tick() => app.tend().await,
            _ = gathered.tick() => app.write_gathered().await,
        }
    }
}

/// Says where the server is, and how to begin when nobody has an account yet.
async fn announce(app: &App, address: SocketAddr) {
    let url = app.config.public_url();
    tracing::info!(%address, %url, version = env!("CARGO_PKG_VERSION"), "listening");
    let mut text =
        format!("auth-service {} listens on {address}; docs: {url}/docs\n", env!("CARGO_PKG_VERSION"));
    let first = app.accounts.list(PageRequest { after: None, limit: 1 }).await;
    if first.is_ok_and(|page| page.items.is_empty()) {
        text.push_str("Make the first administrator, in another terminal:\n");
        let directory = match app.config.data_dir.as_path() {
            path if path == Path::new(DEFAULT_DATA_DIR) => String::new(),
            path => format!(" --data-dir {}", path.display()),
        };
        text.push_str(&format!(
            "  auth-service{directory} user create --username admin --email you@example.org --superuser\n"
        ));
    }
    // A closed standard output must not stop the server.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The signals that ask for an end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> Result<Self> {
        let watch = |kind| signal(kind).map_err(Error::internal);
        Ok(Self { terminate: watch(SignalKind::terminate())?, interrupt: watch(SignalKind::interrupt())? })
    }

    /// Waits for one of them; one that has come before counts.
    async fn first(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Every connection is a file descriptor; the soft limit is often 1024 where the hard one is far above. If there
/// are fewer than connections are wanted, there are fewer connections: at a limit of its own the server closes an
/// idle one for a new one, at the system's it can only wait.
fn within_file_limit(http: Http) -> Http {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%cause, "the limit of open files stays as it is");
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let room = files.map_or(usize::MAX, |files| files.saturating_sub(OTHER_FILES).max(files / 2));
    if http.max_connections > room {
        tracing::warn!(
            room,
            wanted = http.max_connections,
            "the limit of open files allows fewer connections"
        );
    }
    Http { max_connections: http.max_connections.min(room), ..http }
}
