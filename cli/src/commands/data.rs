//! `mandorla data …`.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use mandorla_control::ApiError;
use mandorla_linkage::generate::{Generated, Size, generate};
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done, file};
use crate::when::grouped;

/// `mandorla data …`
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Write a fictional British and a Serbian list, their map files, and the truth about who is on both
    Generate {
        /// S: 1,000 × 1,000 rows; M: 50,000 × 30,000; L: 1,000,000 × 500,000
        #[arg(long, default_value = "s", ignore_case = true)]
        size: ListSize,
        /// The same size and seed give the same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Directory to write to; made if missing
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// Sizes of generated lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListSize {
    S,
    M,
    L,
}

impl ListSize {
    /// Rows of both lists.
    pub(crate) fn rows(self) -> Size {
        match self {
            Self::S => Size::S,
            Self::M => Size::M,
            Self::L => Size::L,
        }
    }
}

/// File names of the two lists, their maps and the truth, and what stands in each.
pub(crate) fn files(generated: &Generated) -> [(&'static str, &str); 5] {
    [
        ("uk.csv", &generated.uk_csv),
        ("uk.map.toml", &generated.uk_map),
        ("rs.csv", &generated.rs_csv),
        ("rs.map.toml", &generated.rs_map),
        ("truth.csv", &generated.truth_csv),
    ]
}

pub(crate) fn run(command: &DataCommand, cx: &Context) -> Done {
    let DataCommand::Generate { size, seed, output } = command;
    let present = ["uk.csv", "rs.csv", "truth.csv"].map(|name| output.join(name));
    if let Some(path) = present.iter().find(|path| path.exists()) {
        cx.confirm(&format!(
            "Replace {} and the files beside it?",
            path.display()
        ))?;
    }
    let rows = size.rows();
    let generated = generate(rows, *seed);
    write(&generated, output)?;
    let names: Vec<PathBuf> = files(&generated).map(|(name, _)| output.join(name)).into();
    let object = json!({
        "left_rows": rows.left, "right_rows": rows.right, "true_overlap": rows.overlap, "seed": seed, "files": names,
    });
    cx.out.object(&object, |_| {
        let names: Vec<_> = names
            .iter()
            .map(|name| name.display().to_string())
            .collect();
        format!(
            "wrote {}\n{} and {} rows; {} people stand on both; nobody in them exists\n",
            names.join(", "),
            grouped(rows.left as u64),
            grouped(rows.right as u64),
            grouped(rows.overlap as u64)
        )
    })?;
    DONE
}

/// Writes the files into a directory, which is made if missing.
pub(crate) fn write(generated: &Generated, directory: &Path) -> Result<(), ApiError> {
    std::fs::create_dir_all(directory).map_err(|error| file(directory, error))?;
    for (name, text) in files(generated) {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| file(&path, error))?;
    }
    Ok(())
}
