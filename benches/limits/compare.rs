//! Ours beside a raw limit, in turns, because the machine is never equally fast twice.

use std::io;

use crate::bench::Bench;
use crate::load::{Client, Figures, Fleet, Sample};
use crate::process::Server;
use crate::report::median;

/// A figure that the clients reach, beside a raw one of the same kind.
pub struct Comparison {
    /// The median of the quotients, each of a round and the raw figures before and after it.
    pub ratio: f64,
    /// The median of the raw figures.
    pub raw: f64,
    /// The medians of our rounds.
    pub figures: Figures,
}

/// Takes raw figures a second and rounds of requests in turns.
pub async fn with_raw<C: Client>(
    bench: &Bench,
    server: &Server,
    fleet: &mut Fleet<C>,
    mut raw: impl FnMut() -> io::Result<f64>,
) -> io::Result<Comparison> {
    let (mut raws, mut samples): (Vec<f64>, Vec<Sample>) = (vec![raw()?], Vec::new());
    for _ in 0..bench.options.rounds() {
        samples.push(fleet.round(bench.options.long_window(), server).await?);
        raws.push(raw()?);
    }
    let around = raws.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    let ratio = median(samples.iter().zip(around).map(|(sample, raw)| sample.rate() / raw));
    Ok(Comparison { ratio, raw: median(raws), figures: Figures::of(&samples) })
}

/// Rounds of requests to two servers in turns.
pub async fn two_servers<A: Client, B: Client>(
    bench: &Bench,
    (one, fleet_one): (&Server, &mut Fleet<A>),
    (two, fleet_two): (&Server, &mut Fleet<B>),
) -> io::Result<(Figures, Figures)> {
    let (mut samples_one, mut samples_two) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.rounds() {
        samples_one.push(fleet_one.round(bench.options.window(), one).await?);
        samples_two.push(fleet_two.round(bench.options.window(), two).await?);
    }
    Ok((Figures::of(&samples_one), Figures::of(&samples_two)))
}
