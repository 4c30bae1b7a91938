//! Log lines on stderr. They hold ids, counts and codes, never records.

use tracing_subscriber::EnvFilter;

/// Environment variable with a filter of tracing's, as `mandorla_node=debug`; it wins over the flags.
const LOG_ENV: &str = "MANDORLA_LOG";

/// Starts logging to stderr, once per process; later calls change nothing. `verbosity`: −1 for errors only, 0 for
/// what an operator wants to know, 1 and 2 for more. `json`: one object a line.
pub fn init_logging(verbosity: i8, json: bool) {
    let level = match verbosity {
        ..=-1 => "error",
        0 => "info",
        1 => "debug",
        2.. => "trace",
    };
    // The libraries beneath tell their own story; from -vv on it is wanted.
    let libraries = if verbosity >= 2 { "debug" } else { "warn" };
    let of_flags =
        format!("{libraries},mandorla={level},mandorla_node={level},mandorla_transport={level}");
    let filter = EnvFilter::try_from_env(LOG_ENV).unwrap_or_else(|_| EnvFilter::new(of_flags));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // An error means that logging was started before.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}
