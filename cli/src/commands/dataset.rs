//! `mandorla dataset …`.

mod text;
mod upload;

use std::path::PathBuf;

use clap::Subcommand;
use mandorla_control::{
    ApiError, DatasetList, DatasetLoad, DatasetProfile, DatasetRemove, DatasetShow,
};

use crate::context::{Context, read_text};
use crate::failure::{DONE, Done, file, internal};
use crate::hints::quoted;

pub(crate) use upload::send_text as upload_text;

/// `mandorla dataset …`
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Load a CSV file as a dataset; a dataset of that name is replaced
    Load {
        /// Name of the dataset, as agreements call it
        name: String,
        /// The CSV file (UTF-8, with a header line)
        file: PathBuf,
        /// The map file: which column is which field (TOML)
        #[arg(long, value_name = "FILE")]
        map: PathBuf,
        /// Only report what a load would do
        #[arg(long)]
        dry_run: bool,
    },
    /// All datasets
    List,
    /// One dataset and what its load found; no rows
    Show {
        /// Name of the dataset
        name: String,
    },
    /// Count what a dataset's rows have and lack, and how its match keys work; no values
    Profile {
        /// Name of the dataset
        name: String,
    },
    /// Remove a dataset that no open round uses, with proof
    Remove {
        /// Name of the dataset
        name: String,
        /// Write the proof that the removal stands in the ledger to this file (JSON)
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
    },
}

pub(crate) async fn run(command: DatasetCommand, cx: &Context) -> Done {
    match command {
        DatasetCommand::Load {
            name,
            file,
            map,
            dry_run,
        } => {
            let again = format!("{name} {} --map {}", quoted(&file), quoted(&map));
            let map = read_text(&map)?;
            let loaded = upload::load(&DatasetLoad { name, map, dry_run }, &file, cx).await;
            // The node knows neither file by its name on this side.
            let view = loaded.map_err(|error| ApiError {
                hint: error
                    .hint
                    .map(|hint| hint.replace("load …", &format!("load {again}"))),
                ..error
            })?;
            cx.out.object(&view, text::dataset)?;
            DONE
        }
        DatasetCommand::List => {
            cx.out.list(&cx.call(&DatasetList {}).await?, text::list)?;
            DONE
        }
        DatasetCommand::Show { name } => {
            cx.out
                .object(&cx.call(&DatasetShow { name }).await?, text::dataset)?;
            DONE
        }
        DatasetCommand::Profile { name } => {
            let profile = cx.call(&DatasetProfile { name }).await?;
            cx.out.object(&profile, text::profile)?;
            DONE
        }
        DatasetCommand::Remove { name, proof } => {
            cx.confirm(&format!("Remove the dataset {name} from this node?"))?;
            let removed = cx.call(&DatasetRemove { name }).await?;
            if let Some(path) = &proof {
                let json = serde_json::to_string_pretty(&removed.proof).map_err(internal)?;
                std::fs::write(path, json + "\n").map_err(|error| file(path, error))?;
            }
            cx.out.object(&removed, text::removed)?;
            DONE
        }
    }
}
