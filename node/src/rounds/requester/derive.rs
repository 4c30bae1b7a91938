//! The own match keys become cells and hit keys, durable in run files; then every key of the round is erased.

use std::sync::Arc;

use mandorla_protocol::requester::{DeriveJob, Deriving, PendingQuestion};
use mandorla_protocol::{
    HitKey, Message, Payload, PrfValue, QuestionCheck, QuestionFault, Terms, write_cell,
};
use mandorla_store::run_file::{RunError, RunOrder, RunReader, RunWriter, sort_to_run};
use tokio::task::JoinSet;

use crate::node::Node;
use crate::rounds::error::RoundError;
use crate::rounds::files::{
    CELLS, HIT_KEY_RECORD_BYTES, HIT_KEYS, NUMBER_RECORD_BYTES, NUMBERS, cells_name, hits_name,
    numbers_name, remove,
};
use crate::rounds::index::OwnIndex;
use crate::rounds::signer_of;

/// Match keys derived in one job.
const BATCH_ROWS: u32 = 4_096;
/// Memory for sorting cells and hit keys.
const SORT_BYTES_MAX: usize = 16 << 20;

/// Derives, writes, checks; gives the question that waits for approval and the acknowledgement to send.
pub(super) async fn derive_question(
    node: &Arc<Node>,
    round: &str,
    deriving: Deriving,
    index: &Arc<OwnIndex>,
) -> Result<(PendingQuestion, Message), RoundError> {
    let terms = deriving.terms().clone();
    let subjects = u32::try_from(index.rows()).expect("a dataset has fewer than 2^30 subjects");
    let numbers = Arc::new(deriving.subject_numbers(subjects));
    let values = derive_all(node, &deriving, index).await?;

    let (node2, index2, round2) = (Arc::clone(node), Arc::clone(index), round.to_owned());
    node.workers
        .run(move || {
            write_files(
                &node2, &round2, &terms, &deriving, &index2, &numbers, &values,
            )?;
            drop(values);
            let mut check = QuestionCheck::new(&terms);
            let cell_bytes = width(terms.cell_bytes());
            let path = node2.store.runs_dir().join(cells_name(&round2));
            let mut cells = RunReader::open(&path, CELLS, cell_bytes)?;
            while let Some(cell) = cells.next_record()? {
                check.push(cell).map_err(own_question_fault)?;
            }
            let question = check.finish().map_err(own_question_fault)?;
            let own = signer_of(&node2, &terms.offer().requester)?;
            Ok(deriving.finish(question, &own.signer)?)
        })
        .await?
}

/// Equal tags are the only thing that can be wrong with an own question.
fn own_question_fault(_: QuestionFault) -> RoundError {
    mandorla_protocol::LocalFault::CellCollision.into()
}

/// Values in the order of the rows, batch by batch.
type Batches = Vec<Vec<PrfValue>>;

/// `F(x)` of every own match key, by type and row.
async fn derive_all(
    node: &Arc<Node>,
    deriving: &Deriving,
    index: &Arc<OwnIndex>,
) -> Result<Vec<Batches>, RoundError> {
    let mut batches = JoinSet::new();
    for (of_type, key_type) in index.types().iter().zip(0_u8..) {
        let rows = u32::try_from(of_type.len()).expect("a type has fewer than 2^30 match keys");
        let starts = (0..rows).step_by(BATCH_ROWS as usize);
        for start in starts {
            let (node, index) = (Arc::clone(node), Arc::clone(index));
            let job: DeriveJob = deriving.derive_job(key_type);
            batches.spawn(async move {
                let kernel = node.kernel;
                let run = move || {
                    let keys = index
                        .of_type(key_type)
                        .keys(start..start.saturating_add(BATCH_ROWS));
                    job.run(kernel, &keys)
                };
                let values = node.workers.run(run).await?;
                Ok::<_, RoundError>((key_type, start, values))
            });
        }
    }
    let mut by_type: Vec<Vec<(u32, Vec<PrfValue>)>> = Vec::new();
    by_type.resize_with(index.types().len(), Vec::new);
    while let Some(batch) = batches.join_next().await {
        let (key_type, start, values) =
            batch.map_err(|error| RoundError::Storage(error.to_string()))??;
        by_type[usize::from(key_type)].push((start, values));
    }
    // The batches stay as they are: values moved out of a batch would leave copies in it that nothing erases.
    Ok(by_type
        .into_iter()
        .map(|mut batches| {
            batches.sort_by_key(|(start, _)| *start);
            batches.into_iter().map(|(_, values)| values).collect()
        })
        .collect())
}

fn write_files(
    node: &Node,
    round: &str,
    terms: &Terms,
    deriving: &Deriving,
    index: &OwnIndex,
    numbers: &[u32],
    values: &[Batches],
) -> Result<(), RoundError> {
    let dir = node.store.runs_dir();
    for name in [cells_name(round), hits_name(round), numbers_name(round)] {
        remove(&dir.join(name))?;
    }
    let real = rows(index, values).flat_map(|(row, value)| {
        let mut holders: Vec<u32> = row.holders.to_vec();
        holders.sort_by_key(|&subject| numbers[subject as usize]);
        holders.into_iter().zip(0_u32..).map(move |(subject, c)| {
            let payload = Payload {
                subject_number: numbers[subject as usize],
                key_types: index.key_types_of(subject),
            };
            let mut cell = Vec::with_capacity(terms.cell_bytes());
            write_cell(terms, value, c, payload, &mut cell);
            cell
        })
    });
    let padding = (0..u32::MAX).map(|j| {
        let mut cell = Vec::with_capacity(terms.cell_bytes());
        deriving.write_padding_cell(j, &mut cell);
        cell
    });
    let cells = usize::try_from(terms.cells()).expect("cells fit into memory addresses");
    let all = real.chain(padding).take(cells).map(Ok::<_, RunError>);
    let cell_bytes = width(terms.cell_bytes());
    sort_to_run(
        all,
        SORT_BYTES_MAX,
        &dir,
        &cells_name(round),
        CELLS,
        cell_bytes,
        RunOrder::StrictlyAscending,
    )?;

    let round_id = terms.round_id();
    let hit_keys = rows(index, values).flat_map(|(row, value)| {
        let hit_key: HitKey = value.hit_key(round_id);
        row.holders.iter().map(move |&subject| {
            let mut record = [0; HIT_KEY_RECORD_BYTES as usize];
            record[..4].copy_from_slice(&numbers[subject as usize].to_be_bytes());
            record[4] = row.key_type;
            record[5..].copy_from_slice(hit_key.as_bytes());
            Ok::<_, RunError>(record)
        })
    });
    sort_to_run(
        hit_keys,
        SORT_BYTES_MAX,
        &dir,
        &hits_name(round),
        HIT_KEYS,
        HIT_KEY_RECORD_BYTES,
        RunOrder::Ascending,
    )?;

    let mut by_number: Vec<(u32, u32)> = numbers.iter().copied().zip(0..).collect();
    by_number.sort_unstable();
    let name = numbers_name(round);
    let mut writer = RunWriter::create(
        &dir,
        &name,
        NUMBERS,
        NUMBER_RECORD_BYTES,
        RunOrder::StrictlyAscending,
    )?;
    for (number, subject) in by_number {
        let mut record = [0; NUMBER_RECORD_BYTES as usize];
        record[..4].copy_from_slice(&number.to_be_bytes());
        record[4..].copy_from_slice(&subject.to_be_bytes());
        writer.push(&record)?;
    }
    writer.finish()?;
    Ok(())
}

#[derive(Clone, Copy)]
struct Row<'a> {
    key_type: u8,
    holders: &'a [u32],
}

/// Every own match key with its value.
fn rows<'a>(
    index: &'a OwnIndex,
    values: &'a [Batches],
) -> impl Iterator<Item = (Row<'a>, &'a PrfValue)> {
    index
        .types()
        .iter()
        .zip(values)
        .zip(0_u8..)
        .flat_map(|((of_type, values), key_type)| {
            values
                .iter()
                .flatten()
                .enumerate()
                .map(move |(row, value)| {
                    (
                        Row {
                            key_type,
                            holders: of_type.holders(row),
                        },
                        value,
                    )
                })
        })
}

pub(super) fn width(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("a cell has at most 24 bytes")
}
