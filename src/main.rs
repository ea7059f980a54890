//! The `weir` program.

use std::process::ExitCode;

/// Measured beside the system's: see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::main()
}
