//! Measures how soon `plimsoll history` finds a change of the mean, and how often it tells one that is
//! none: nights that differ by 3 % (independent, normal in logarithms), looked at after every night.
//!
//! Ends with exit code 1 if a bar is not held.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::process::ExitCode;

use plimsoll_study::history::splits;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

const STEPS: usize = 1_000;
const YEARS: usize = 40;
/// What a year of nightly looks begins with.
const BEFORE: usize = 60;
const SPREAD: f64 = 0.03;

fn nights(count: usize, step_at: usize, factor: f64, random: &mut Pcg64) -> Vec<f64> {
    let mut night = |index: usize| {
        let normal: f64 = StandardNormal.sample(random);
        let level = if index >= step_at { factor.ln() } else { 0.0 };
        level + SPREAD * normal
    };
    (0..count).map(&mut night).collect()
}

/// In how many of the steps a change is told, at its place or beside it, within so many nights.
fn within(factor: f64) -> [usize; 5] {
    let mut random = Pcg64::seed_from_u64(1);
    let mut within = [0; 5];
    for _ in 0..STEPS {
        let at = random.random_range(20..55);
        let all = nights(60, at, factor, &mut random);
        let is_told = |after: &usize| {
            splits(&all[..at + after]).iter().any(|split| split.at.abs_diff(at) <= 1)
        };
        if let Some(after) = (1..=5).find(is_told) {
            within[after - 1..].iter_mut().for_each(|count| *count += 1);
        }
    }
    within
}

/// How many changes are told in years in which there is none; one that moves by two nights is the same.
fn false_changes() -> usize {
    let mut random = Pcg64::seed_from_u64(2);
    let year = |random: &mut Pcg64| {
        let all = nights(BEFORE + 365, usize::MAX, 1.0, random);
        let mut places: Vec<usize> = Vec::new();
        for night in BEFORE..all.len() {
            for split in splits(&all[..=night]) {
                if places.iter().all(|place| place.abs_diff(split.at) > 2) {
                    places.push(split.at);
                }
            }
        }
        places.len()
    };
    (0..YEARS).map(|_| year(&mut random)).sum()
}

fn main() -> ExitCode {
    let mut holds = true;
    for factor in [1.05, 1.1, 1.2] {
        let counts = within(factor);
        let shares = counts.map(|count| format!("{:.1} %", count as f64 / STEPS as f64 * 100.0));
        println!(
            "+{:.0} %: told within 1 to 5 nights: {}",
            (factor - 1.0) * 100.0,
            shares.join(", ")
        );
        holds &= factor < 1.1 || counts[2] * 10 >= STEPS * 9;
    }
    let told = false_changes();
    println!("steady: {:.2} false changes a year ({told} in {YEARS})", told as f64 / YEARS as f64);
    holds &= told <= YEARS;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
