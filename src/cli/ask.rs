//! Puts commands to the server of the data directory, or does them here if none runs.
use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::admin::{Admin, Answer, Command, TransferCommand, socket};
use crate::app::App;
use crate::base::{Env, Error, Result};
use crate::config::Config;
use crate::store::Store;
use crate::{serve, store};

/// Threads for reads that block; more only cost memory.
const BLOCKING_THREADS: usize = 16;

/// Whoever does what is asked: the server, or this process once it has found that none runs.
pub struct Backend {
    data_dir: PathBuf,
    /// Until the store is opened here.
    config: Option<Config>,
    here: Option<Here>,
}

/// The store, opened by this process; closed when dropped.
struct Here {
    store: Store,
    runtime: Runtime,
    admin: Admin,
    /// The file was damaged, and is mended.
    is_mended: bool,
}

impl Backend {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { data_dir: config.data_dir.clone(), config: Some(config), here: None }
    }

    /// Asks the server if one runs; otherwise opens the store, once for all commands.
    ///
    /// # Errors
    /// `Error::Unavailable` when neither works.
    pub fn ask(&mut self, command: Command) -> Result<Answer> {
        if self.here.is_none() {
            if let Some(answer) = socket::ask(&self.data_dir, &command)? {
                return Ok(answer);
            }
            let config = self.config.take().ok_or_else(|| Error::unavailable("the store did not open"))?;
            self.here = Some(Here::open(config, &command)?);
        }
        let here = self.here.as_ref().ok_or_else(|| Error::internal("no store is open"))?;
        Ok(here.answer(command))
    }
}

impl Here {
    fn open(config: Config, command: &Command) -> Result<Self> {
        if !may_create(command) && !config.data_dir.join(store::FILE_NAME).exists() {
            return Err(Error::unavailable(format!("there is no store in {}", config.data_dir.display())));
        }
        let store = serve::open_store(&config)?;
        let is_mended = matches!(command, Command::Check) && !store.verify_file()?;
        let runtime = runtime()?;
        let admin = runtime.block_on(async {
            let app = App::open(config, Env::system(), store.clone()).await?;
            Ok(app.admin())
        })?;
        Ok(Self { store, runtime, admin, is_mended })
    }

    fn answer(&self, command: Command) -> Answer {
        let answer = self.runtime.block_on(self.admin.answer(command));
        if self.is_mended { with_mended_file(answer) } else { answer }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// The first accounts may come before the first start. Anything else would find a mistyped directory in order.
fn may_create(command: &Command) -> bool {
    let brings_many =
        matches!(command, Command::Transfer { what: TransferCommand::Import { dry_run: false, .. } });
    brings_many || matches!(command, Command::UserCreate { .. })
}

fn with_mended_file(answer: Answer) -> Answer {
    match answer {
        Answer::Findings { tables, mut problems, problem_count } => {
            problems.insert(0, "the file's structure was damaged and has been mended".to_owned());
            Answer::Findings { tables, problems, problem_count: problem_count + 1 }
        }
        other => other,
    }
}

/// The runtime of the program.
///
/// # Errors
/// `Error::Unavailable` when the system gives no threads.
pub fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    runtime.map_err(|cause| Error::unavailable(format!("no threads: {cause}")))
}
