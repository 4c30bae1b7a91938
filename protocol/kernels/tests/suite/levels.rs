//! Every level computes the same bytes as the naive oracle.

use std::process::Command;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{
    Blind, EvaluationKey, KERNEL_ENV, Kernel, Level, LevelError, hash_to_group,
};

use crate::support::{
    DST, elements, evaluation_key, inputs, kernels, naive_multiple, points_of, seeded, slices,
    uniform,
};

/// Around every block and lane boundary: lanes of 4 and 8, blocks of 512.
const LENGTHS: [usize; 22] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 511, 512, 513, 1025,
];

#[test]
fn every_available_level_is_tested() {
    let tested: Vec<Level> = kernels().iter().map(|kernel| kernel.level()).collect();
    let names: Vec<&str> = tested.iter().map(|level| level.name()).collect();
    println!("kernel levels tested: {}", names.join(" "));
    assert_eq!(tested, Kernel::levels_available());
    assert!(tested.contains(&Level::Scalar));
}

#[test]
fn evaluating_is_naive_multiplication_at_every_batch_length() {
    let mut rng = seeded(1);
    for kernel in kernels() {
        for len in LENGTHS {
            let key = EvaluationKey::generate(&mut rng);
            let batch = elements(&mut rng, len);
            let expected: Vec<_> = batch.iter().map(|e| naive_multiple(&key, e)).collect();
            assert_eq!(
                kernel.evaluate(&key, &points_of(kernel, &batch)),
                expected,
                "length {len}"
            );
        }
    }
}

#[test]
fn deriving_is_hashing_and_naive_multiplication_at_every_batch_length() {
    let mut rng = seeded(2);
    for kernel in kernels() {
        for len in LENGTHS {
            let key = EvaluationKey::generate(&mut rng);
            let inputs = inputs(&mut rng, len);
            let expected: Vec<_> = inputs
                .iter()
                .map(|input| naive_multiple(&key, &hash_to_group(DST, input).unwrap()))
                .collect();
            assert_eq!(
                kernel.derive(&key, DST, &slices(&inputs)),
                expected,
                "length {len}"
            );
        }
    }
}

#[test]
fn blinding_adds_the_blind_times_the_generator_at_every_batch_length() {
    let mut rng = seeded(3);
    for kernel in kernels() {
        for len in LENGTHS {
            let inputs = inputs(&mut rng, len);
            let wide: Vec<[u8; 64]> = (0..len).map(|_| uniform(&mut rng)).collect();
            let blinds: Vec<_> = wide.iter().map(Blind::from_uniform_bytes).collect();
            let (points, blinded) = kernel.blind(DST, &slices(&inputs), &blinds);
            let expected: Vec<_> = inputs
                .iter()
                .zip(&wide)
                .map(|(input, wide)| {
                    let hashed = CompressedRistretto(hash_to_group(DST, input).unwrap());
                    let mask = RISTRETTO_BASEPOINT_POINT * Scalar::from_bytes_mod_order_wide(wide);
                    (hashed.decompress().unwrap() + mask).compress().to_bytes()
                })
                .collect();
            assert_eq!(blinded, expected, "length {len}");
            // The points that are kept are those whose encodings are sent.
            let one = evaluation_key(Scalar::ONE);
            assert_eq!(kernel.evaluate(&one, &points), blinded);
        }
    }
}

#[test]
fn scalars_at_the_edges_evaluate_like_any_other() {
    let mut rng = seeded(4);
    let batch = elements(&mut rng, 9);
    let edges = [
        Scalar::ONE,
        Scalar::from(2u8),
        Scalar::from(3u8),
        -Scalar::ONE,
        -Scalar::from(3u8),
        -Scalar::from(4u8),
        // Halves of all ones and of one high bit.
        Scalar::from(u128::MAX),
        Scalar::from(1u128 << 127),
        Scalar::ONE.div_by_2(),
    ];
    for kernel in kernels() {
        let points = points_of(kernel, &batch);
        for scalar in edges {
            let key = evaluation_key(scalar);
            let expected: Vec<_> = batch.iter().map(|e| naive_multiple(&key, e)).collect();
            assert_eq!(kernel.evaluate(&key, &points), expected);
        }
    }
}

const REPORTING: &str = "MANDORLA_TEST_REPORTS_ITS_LEVEL";

#[test]
fn the_environment_lowers_the_level_and_a_name_it_does_not_know_is_an_error() {
    // The environment is a process's own: this test runs itself again for each value, and reports.
    if std::env::var_os(REPORTING).is_some() {
        match Kernel::detect() {
            Ok(kernel) => println!("detected: {}", kernel.level()),
            Err(LevelError::Unknown { name }) => println!("refused as unknown: {name:?}"),
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    let detected_with = |value: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "levels::the_environment_lowers_the_level_and_a_name_it_does_not_know_is_an_error",
            "--nocapture",
        ]);
        command.env(REPORTING, "1");
        match value {
            Some(value) => command.env(KERNEL_ENV, value),
            None => command.env_remove(KERNEL_ENV),
        };
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };

    let highest = Kernel::levels_available().pop().unwrap();
    assert!(detected_with(None).contains(&format!("detected: {highest}\n")));
    for level in Kernel::levels_available() {
        let report = detected_with(Some(level.name()));
        assert!(report.contains(&format!("detected: {level}\n")), "{report}");
    }
    assert!(detected_with(Some("avx9000")).contains("refused as unknown: \"avx9000\""));
    assert!(detected_with(Some("")).contains("refused as unknown: \"\""));
}
