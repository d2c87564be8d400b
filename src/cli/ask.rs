//! Puts a command to the server of the data directory, or does it here if none runs.
use crate::admin::{Answer, Command, socket};
use crate::app::App;
use crate::base::{Env, Error, Result};
use crate::config::Config;
use crate::{serve, store};

/// Threads for reads that block; more only cost memory.
const BLOCKING_THREADS: usize = 16;

/// Asks the server if one runs; otherwise opens the store.
///
/// # Errors
/// `Error::Unavailable` when neither works.
pub fn ask(config: Config, command: Command) -> Result<Answer> {
    match socket::ask(&config.data_dir, &command)? {
        Some(answer) => Ok(answer),
        None => do_it_here(config, command),
    }
}

fn do_it_here(config: Config, command: Command) -> Result<Answer> {
    // The first account may come before the first start. Anything else would find a mistyped directory in order.
    let may_create = matches!(command, Command::UserCreate { .. });
    if !may_create && !config.data_dir.join(store::FILE_NAME).exists() {
        return Err(Error::unavailable(format!("there is no store in {}", config.data_dir.display())));
    }
    let store = serve::open_store(&config)?;
    let whole_file = matches!(command, Command::Check);
    let mended = whole_file && !store.verify_file()?;
    let answer = runtime()?.block_on(async {
        let app = App::open(config, Env::system(), store.clone()).await?;
        Ok(app.admin().answer(command).await)
    });
    store.close();
    answer.map(|answer| if mended { with_mended_file(answer) } else { answer })
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
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    runtime.map_err(|cause| Error::unavailable(format!("no threads: {cause}")))
}
