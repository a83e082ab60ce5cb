//! How many tokens a text has, without its model's tokenizer. Pure.
//!
//! A text is weighed by what it is made of: Latin letters and signs, letters
//! of other alphabets, ideographs, and the frame that a message needs. The
//! weights start from what tokenizers usually do, and each reply, whose
//! provider counts for certain, moves them towards the truth for its model:
//! recursive least squares with forgetting (Plackett 1950; Haykin, "Adaptive
//! Filter Theory", ch. 9) on the relative error.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Kinds of what a text is made of.
const KINDS: usize = 4;

/// Tokens of one letter or frame of each kind, before anything is known of the model:
/// ASCII, other alphabets, ideographs and emoji, frames.
const USUAL: [f64; KINDS] = [0.24, 0.36, 0.85, 4.0];

/// How far a weight may stray from the usual one.
const FURTHEST: (f64, f64) = (0.25, 4.0);

/// The variance that a weight is believed to have before anything is known.
const UNCERTAIN: f64 = 0.25;

/// The variance of a count around the weights' estimate, relative to it.
const NOISE: f64 = 0.0009;

/// What a count still weighs when the next one has come.
const FORGETTING: f64 = 0.98;

/// What a text is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weight([f64; KINDS]);

/// How a model's tokenizer weighs, as far as its counts have told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Factors on the usual weights.
    factors: [f64; KINDS],
    /// How uncertain the factors are, and together.
    covariance: [[f64; KINDS]; KINDS],
    /// How many counts it has seen.
    pub samples: u32,
}

impl Weight {
    /// What one block of a prompt is made of, its frame included.
    pub fn of(text: &str) -> Self {
        let (mut ascii, mut alphabet, mut ideograph) = (0_u32, 0_u32, 0_u32);
        for letter in text.chars() {
            match u32::from(letter) {
                0..=0x7f => ascii += 1,
                // Typographic quotes and dashes (from 0x2000 on) cost about what a letter does.
                0x80..=0x206f => alphabet += 1,
                _ => ideograph += 1,
            }
        }
        Self([f64::from(ascii), f64::from(alphabet), f64::from(ideograph), 1.0])
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }
}

impl Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::default(), Add::add)
    }
}

impl Default for Calibration {
    fn default() -> Self {
        let mut covariance = [[0.0; KINDS]; KINDS];
        for (index, row) in covariance.iter_mut().enumerate() {
            row.iter_mut().skip(index).take(1).for_each(|cell| *cell = UNCERTAIN);
        }
        Self { factors: [1.0; KINDS], covariance, samples: 0 }
    }
}

impl Calibration {
    /// The estimated size of a text, in tokens.
    pub fn tokens(&self, weight: Weight) -> u32 {
        to_tokens(dot(&self.factors, &usual(weight)))
    }

    /// Learns that a prompt of this weight had so many tokens.
    pub fn learn(&mut self, weight: Weight, counted: u32) {
        let usual = usual(weight);
        let whole: f64 = usual.iter().sum();
        if counted == 0 || whole < 1.0 {
            return;
        }
        let shares = usual.map(|part| part / whole);
        let surprise = f64::from(counted) / whole - dot(&self.factors, &shares);
        // The gain: how much of the surprise each factor takes upon itself.
        let spread = self.covariance.map(|row| dot(&row, &shares));
        let certainty = FORGETTING * NOISE + dot(&spread, &shares);
        // Rounding may have made nonsense of the covariance: begin anew.
        if certainty <= 0.0 {
            *self = Self { factors: self.factors, samples: self.samples, ..Self::default() };
            return;
        }
        let gain = spread.map(|part| part / certainty);
        for (factor, gain) in self.factors.iter_mut().zip(gain) {
            *factor = (*factor + gain * surprise).clamp(FURTHEST.0, FURTHEST.1);
        }
        for (row, gain) in self.covariance.iter_mut().zip(gain) {
            for (cell, spread) in row.iter_mut().zip(spread) {
                *cell = ((*cell - gain * spread) / FORGETTING).clamp(-UNCERTAIN, UNCERTAIN);
            }
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// Whether all of it is numbers, within their bounds.
    pub fn is_sound(&self) -> bool {
        let within = |factor: &f64| (FURTHEST.0..=FURTHEST.1).contains(factor);
        self.factors.iter().all(within)
            && self.covariance.iter().flatten().all(|cell| cell.is_finite())
    }

    /// Whether another calibration would size a text noticeably differently.
    pub fn differs(&self, other: &Self) -> bool {
        let far = |(own, other): (&f64, &f64)| (own / other - 1.0).abs() > 0.01;
        self.factors.iter().zip(&other.factors).any(far)
    }

    /// The factors, to size the same texts again in the same way.
    pub fn factors(&self) -> [f64; KINDS] {
        self.factors
    }

    /// A calibration with these factors, to size texts with.
    pub fn with_factors(factors: [f64; KINDS]) -> Self {
        Self { factors, ..Self::default() }
    }
}

fn usual(weight: Weight) -> [f64; KINDS] {
    let mut parts = weight.0;
    for (part, usual) in parts.iter_mut().zip(USUAL) {
        *part *= usual;
    }
    parts
}

fn dot(left: &[f64; KINDS], right: &[f64; KINDS]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a u32 holds"
)]
fn to_tokens(size: f64) -> u32 {
    size.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unknown_model_is_sized_as_models_usually_are() {
        let fresh = Calibration::default();
        for (text, about) in [
            ("", 4),
            ("The lantern throws a long shadow over the wet planks.", 17),
            ("Фонарь бросает длинную тень на мокрые доски.", 19),
            ("灯笼在湿木板上投下长长的影子。", 17),
        ] {
            assert_eq!(fresh.tokens(Weight::of(text)), about, "{text}");
        }
    }

    proptest! {
        /// Of a tokenizer that weighs in its own steady way a story is known within 5 % after its
        /// ten prompts, each a mixture of its own.
        #[test]
        fn a_steady_tokenizer_is_learnt(
            truth in prop::array::uniform4(0.5_f64..2.0),
            prompts in prop::collection::vec(prop::array::uniform4(1.0_f64..20_000.0), 10),
        ) {
            let count = |weight: Weight| to_tokens(dot(&truth, &usual(weight)));
            let mut calibration = Calibration::default();
            let mut story = Weight::default();
            for prompt in &prompts {
                let weight = Weight([prompt[0], prompt[1], prompt[2], prompt[3] / 200.0]);
                calibration.learn(weight, count(weight));
                story += weight;
            }
            let (estimate, counted) = (calibration.tokens(story), count(story));
            let error = f64::from(estimate) / f64::from(counted) - 1.0;
            let is_near = estimate.abs_diff(counted) <= 1 || error.abs() < 0.05;
            prop_assert!(is_near, "{estimate} for {counted}");
        }

        #[test]
        fn nonsense_does_no_lasting_harm(counts in prop::collection::vec(0_u32..1_000_000, 0..40)) {
            let mut calibration = Calibration::default();
            let weight = Weight::of(&"word ".repeat(100));
            for counted in counts {
                calibration.learn(weight, counted);
            }
            for _ in 0..60 {
                calibration.learn(weight, 150);
            }
            let tokens = calibration.tokens(weight);
            prop_assert!((140..=160).contains(&tokens), "{tokens}");
        }

        #[test]
        fn the_whole_is_the_sum_of_its_parts(left in ".{0,40}", right in ".{0,40}") {
            let fresh = Calibration::default();
            let both = fresh.tokens(Weight::of(&left) + Weight::of(&right));
            let parts = fresh.tokens(Weight::of(&left)) + fresh.tokens(Weight::of(&right));
            prop_assert!(parts == both || parts == both + 1);
        }
    }
}
