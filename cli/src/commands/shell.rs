//! Completions, manual pages, the version: made from the definitions.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done, file, internal};

/// `mandorla completion`
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// `mandorla man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory for one page per command [default: the first page on standard output]
    directory: Option<PathBuf>,
}

pub(crate) fn completion(args: &CompletionArgs, cx: &Context) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut crate::definitions(),
        "mandorla",
        &mut script,
    );
    let script = String::from_utf8(script).map_err(internal)?;
    if cx.out.json {
        cx.out.object(
            &json!({"shell": args.shell.to_string(), "script": script}),
            |_| String::new(),
        )?;
    } else {
        cx.out.raw(&script)?;
    }
    DONE
}

pub(crate) fn man(args: &ManArgs, cx: &Context) -> Done {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(crate::definitions())
            .render(&mut page)
            .map_err(internal)?;
        let page = String::from_utf8(page).map_err(internal)?;
        if cx.out.json {
            cx.out.object(&json!({"page": page}), |_| String::new())?;
        } else {
            cx.out.raw(&page)?;
        }
        return DONE;
    };
    std::fs::create_dir_all(directory).map_err(|error| file(directory, error))?;
    clap_mangen::generate_to(crate::definitions(), directory)
        .map_err(|error| file(directory, error))?;
    cx.out.object(&json!({"directory": directory}), |_| {
        format!("wrote the pages to {}\n", directory.display())
    })?;
    DONE
}

pub(crate) fn version(cx: &Context) -> Done {
    let object = json!({"name": "mandorla", "version": env!("CARGO_PKG_VERSION"), "api": mandorla_control::API_VERSION});
    cx.out.object(&object, |_| {
        concat!("mandorla ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
    })?;
    DONE
}
