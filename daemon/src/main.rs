//! The service's entry point.

use std::process::ExitCode;

use simbelld::app::{RunError, load_config};
use simbelld::config::Environment;
use simbelld::options::{Command, Options, USAGE, parse};
use simbelld::{app, check, logging, replay, scaffold, trace, trials, vnstat};

/// Counts what rules allocate, so that a rule cannot fill memory.
#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

/// `EX_CONFIG` of sysexits.h: systemd does not try again (`RestartPreventExitStatus=78`).
const EX_CONFIG: u8 = 78;

/// How many sockets that have something are looked at in one turn.
const EVENTS_A_TURN: usize = 64;

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("simbelld {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Check { config, with: Some(file), .. }) => check::run_with(config.as_deref(), &file),
        Ok(Command::Check { config, rules, what, json, .. }) => {
            check::run(config.as_deref(), &rules, what, json)
        }
        Ok(Command::Replay(options)) => replay::run(&options),
        Ok(Command::Tests(tests)) => trials::run(&tests),
        Ok(Command::Trace { config, file, json }) => trace::run(config.as_deref(), file.as_deref(), json),
        Ok(Command::NewRule(wanted)) => scaffold::write(&wanted),
        Ok(Command::Reference { name, json }) => scaffold::reference(name.as_deref(), json),
        Ok(Command::ReadVnstat { interface, file }) => vnstat::run(&file, &interface),
        Ok(Command::Run(options)) => run(&options),
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    simbell_alloc::use_one_arena();
    let loaded = match load_config(options.config.as_deref(), &Environment::of_process()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    let log = logging::start(loaded.service.log_level);
    // Fewer events a turn than tokio's thousand, of which each has its room. A thread for what blocks (commits, rules) ends
    // ten seconds after its last work: the three that a start makes would hold 150 kB of stacks and freed blocks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_io_events_per_tick(EVENTS_A_TURN)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the service cannot begin: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(app::run(options, loaded, log)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Config(problems)) => {
            eprintln!("{problems}");
            ExitCode::from(EX_CONFIG)
        }
        Err(RunError::Other(error)) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
