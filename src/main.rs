//! The program: everything is in the library, so that tests can run it, too.

/// Quicker than the system's for many small, short-lived values, and the same with every libc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    auth_service::cli::run()
}
