//! The batch operations of `mandorla-kernels` on one thread, at every level the processor has, beside plain
//! curve25519-dalek on the same elements in the same run.
//!
//! ```text
//! cargo bench -p mandorla-benches                 measure; a table of ratios comes last
//! cargo bench -p mandorla-benches -- --test       run each once
//! ```

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{
    Blind, Element, EvaluationKey, Kernel, PublicKeyTable, expand_message_xmd_sha512,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The elements of one batch: several blocks of every level, and about one chunk of the protocol.
const BATCH_ELEMENTS: u16 = 4096;
/// The bytes of one input: a typical match key.
const INPUT_BYTES: usize = 32;
const DST: &[u8] = b"mandorla-benches";
const CONTEXT: &[u8] = b"mandorla-benches context";
const DALEK: &str = "dalek";

fn main() {
    let kernels: Vec<Kernel> = Kernel::levels_available()
        .into_iter()
        .filter_map(Kernel::at)
        .collect();
    let levels: Vec<&str> = kernels.iter().map(|kernel| kernel.level().name()).collect();
    println!(
        "kernel levels: {}; dalek backend: {}",
        levels.join(" "),
        dalek_backend()
    );

    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let mut times = Times::default();
    let batch = Batch::new();
    for operation in OPERATIONS {
        let mut group = criterion.benchmark_group(operation.name);
        group.throughput(Throughput::Elements(BATCH_ELEMENTS.into()));
        if let Some(baseline) = operation.dalek {
            times.measure(&mut group, operation.name, DALEK, || baseline(&batch));
        }
        for &kernel in &kernels {
            let level = kernel.level().name();
            times.measure(&mut group, operation.name, level, || {
                (operation.kernel)(kernel, &batch);
            });
        }
        group.finish();
    }
    criterion.final_summary();
    if !std::env::args().any(|arg| arg == "--test") {
        times.print_ratios();
    }
}

/// One operation on a batch: by a kernel, and the same results by plain dalek.
struct Operation {
    name: &'static str,
    kernel: fn(Kernel, &Batch),
    dalek: Option<fn(&Batch)>,
}

const OPERATIONS: [Operation; 6] = [
    Operation {
        name: "evaluate",
        kernel: |kernel, batch| {
            // As the requester does: the elements come as bytes.
            let points = kernel.decode(&batch.blinded).expect("good elements");
            black_box(kernel.evaluate(&batch.key, &points));
        },
        dalek: Some(|batch| {
            black_box(batch.evaluate_naively(&batch.blinded));
        }),
    },
    Operation {
        name: "derive",
        kernel: |kernel, batch| {
            black_box(kernel.derive(&batch.key, DST, &batch.inputs()));
        },
        dalek: Some(|batch| {
            let derived: Vec<Element> = batch
                .inputs
                .iter()
                .map(|input| (hash_naively(input) * batch.scalar).compress().to_bytes())
                .collect();
            black_box(derived);
        }),
    },
    Operation {
        name: "blind",
        kernel: |kernel, batch| {
            black_box(kernel.blind(DST, &batch.inputs(), &batch.blinds).1);
        },
        // The multiplicative blinding of RFC 9497.
        dalek: Some(|batch| {
            let blinded: Vec<Element> = batch
                .inputs
                .iter()
                .zip(&batch.blind_scalars)
                .map(|(input, blind)| (hash_naively(input) * blind).compress().to_bytes())
                .collect();
            black_box(blinded);
        }),
    },
    Operation {
        name: "unblind",
        kernel: |kernel, batch| {
            black_box(kernel.unblind(&batch.table, &batch.verified, &batch.blinds));
        },
        // Of RFC 9497: by the inverse of the blind, which is taken as known.
        dalek: Some(|batch| {
            let unblinded: Vec<Element> = batch
                .output_points
                .iter()
                .zip(&batch.blind_scalars)
                .map(|(point, inverse)| (point * inverse).compress().to_bytes())
                .collect();
            black_box(unblinded);
        }),
    },
    Operation {
        name: "prove",
        kernel: |kernel, batch| {
            let inputs = (&batch.points, &batch.blinded[..]);
            black_box(kernel.prove(&batch.key, CONTEXT, inputs, &batch.outputs, &[7; 32]));
        },
        dalek: None,
    },
    Operation {
        name: "verify",
        kernel: |kernel, batch| {
            let inputs = (&batch.points, &batch.blinded[..]);
            let public = batch.key.public();
            let verified = kernel.verify(&public, CONTEXT, inputs, &batch.outputs, &batch.proof);
            black_box(verified.expect("a true proof"));
        },
        dalek: None,
    },
];

/// One batch in all its forms.
struct Batch {
    key: EvaluationKey,
    scalar: Scalar,
    table: PublicKeyTable,
    inputs: Vec<[u8; INPUT_BYTES]>,
    blinds: Vec<Blind>,
    blind_scalars: Vec<Scalar>,
    points: mandorla_kernels::Points,
    blinded: Vec<Element>,
    outputs: Vec<Element>,
    output_points: Vec<RistrettoPoint>,
    proof: mandorla_kernels::ChunkProof,
    verified: mandorla_kernels::VerifiedPoints,
}

impl Batch {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let kernel = Kernel::detect().expect("MANDORLA_KERNEL names an available level");
        let key = EvaluationKey::generate(&mut rng);
        let inputs: Vec<[u8; INPUT_BYTES]> =
            (0..BATCH_ELEMENTS).map(|_| random(&mut rng)).collect();
        let wide: Vec<[u8; 64]> = (0..BATCH_ELEMENTS).map(|_| random(&mut rng)).collect();
        let blinds: Vec<Blind> = wide.iter().map(Blind::from_uniform_bytes).collect();
        let slices: Vec<&[u8]> = inputs.iter().map(<[u8; INPUT_BYTES]>::as_slice).collect();

        let (points, blinded) = kernel.blind(DST, &slices, &blinds);
        let outputs = kernel.evaluate(&key, &points);
        let proof = kernel.prove(
            &key,
            CONTEXT,
            (&points, &blinded),
            &outputs,
            &random(&mut rng),
        );
        let verified = kernel
            .verify(
                &key.public(),
                CONTEXT,
                (&points, &blinded),
                &outputs,
                &proof,
            )
            .expect("a true proof");

        let batch = Self {
            scalar: Scalar::from_bytes_mod_order(*key.to_bytes()),
            table: PublicKeyTable::new(&key.public()),
            blind_scalars: wide.iter().map(Scalar::from_bytes_mod_order_wide).collect(),
            output_points: outputs.iter().map(decode_naively).collect(),
            key,
            inputs,
            blinds,
            points,
            blinded,
            outputs,
            proof,
            verified,
        };
        assert_eq!(
            batch.evaluate_naively(&batch.blinded),
            batch.outputs,
            "what is compared must agree"
        );
        batch
    }

    fn inputs(&self) -> Vec<&[u8]> {
        self.inputs
            .iter()
            .map(<[u8; INPUT_BYTES]>::as_slice)
            .collect()
    }

    /// Decode, multiply, encode, one element after the other.
    fn evaluate_naively(&self, elements: &[Element]) -> Vec<Element> {
        elements
            .iter()
            .map(|element| {
                (decode_naively(element) * self.scalar)
                    .compress()
                    .to_bytes()
            })
            .collect()
    }
}

fn decode_naively(element: &Element) -> RistrettoPoint {
    CompressedRistretto(*element)
        .decompress()
        .expect("a good element")
}

fn hash_naively(input: &[u8]) -> RistrettoPoint {
    let mut uniform = [0; 64];
    expand_message_xmd_sha512(&[input], DST, &mut uniform).expect("64 bytes can be expanded");
    RistrettoPoint::from_uniform_bytes(&uniform)
}

fn random<const N: usize>(rng: &mut StdRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Times of a batch, by operation and by who computed it.
#[derive(Default)]
struct Times {
    samples: BTreeMap<(&'static str, &'static str), Vec<Duration>>,
}

impl Times {
    fn measure(
        &mut self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        operation: &'static str,
        by: &'static str,
        mut run: impl FnMut(),
    ) {
        let samples = self.samples.entry((operation, by)).or_default();
        group.bench_function(BenchmarkId::from_parameter(by), |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    run();
                }
                let elapsed = start.elapsed();
                let iterations = u32::try_from(iterations).expect("a batch takes milliseconds");
                samples.push(elapsed / iterations);
                elapsed
            });
        });
    }

    /// Medians of this run, and how many times faster than plain dalek each is.
    fn print_ratios(&self) {
        println!(
            "\n{:<10} {:<12} {:>12} {:>10} {:>10}",
            "", "", "elements/s", "µs each", "× dalek"
        );
        for operation in OPERATIONS {
            let baseline = self.median_seconds(operation.name, DALEK);
            for &(name, by) in self.samples.keys() {
                let (true, Some(seconds)) = (name == operation.name, self.median_seconds(name, by))
                else {
                    continue;
                };
                let each = seconds / f64::from(BATCH_ELEMENTS);
                let ratio = baseline.map_or("–".to_owned(), |b| format!("{:.2}", b / seconds));
                println!(
                    "{name:<10} {by:<12} {:>12.0} {:>10.2} {ratio:>10}",
                    1.0 / each,
                    each * 1e6
                );
            }
        }
    }

    /// `None` where a filter on the command line left the measurement out.
    fn median_seconds(&self, operation: &'static str, by: &'static str) -> Option<f64> {
        let mut samples = self.samples.get(&(operation, by))?.clone();
        samples.sort_unstable();
        Some(samples.get(samples.len() / 2)?.as_secs_f64())
    }
}

/// What dalek was built with. Its own best, where the processor has it, is `avx512`, which the workspace
/// configures; flags in the environment displace that.
#[expect(unexpected_cfgs, reason = "the configuration name is dalek's")]
fn dalek_backend() -> &'static str {
    if cfg!(curve25519_dalek_backend = "serial") {
        return "serial, not dalek's best";
    }
    #[cfg(target_arch = "x86_64")]
    {
        let has_ifma = std::arch::is_x86_feature_detected!("avx512ifma")
            && std::arch::is_x86_feature_detected!("avx512vl");
        match (cfg!(curve25519_dalek_backend = "avx512"), has_ifma) {
            (true, true) => "avx512",
            (false, true) => "avx2, not dalek's best",
            (_, false) if std::arch::is_x86_feature_detected!("avx2") => "avx2",
            (_, false) => "serial",
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        "serial"
    }
}
