//! A disk in memory that loses power, runs full, fails, and forgets, as real ones do.
//!
//! It knows what is durable, what was written since, and what reads return. A sync that fails leaves some
//! blocks durable, some still to be written, and some lost although reads go on showing them until the page
//! cache is dropped (what Linux does).
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_service::store::Disk;

use crate::support::Rng;

const PAGE: u64 = 4096;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Writes and growth fail (ENOSPC).
    Full,
    /// Syncs fail.
    Sync,
    /// Reads fail.
    Read,
    /// Every other write, growth or sync fails.
    Flaky,
    /// Writes and syncs panic, as redb may on a damaged file.
    Panics,
    /// Of every so many syncs, the last does its work and says that it failed.
    SyncOf(u64),
    /// Everything fails; nothing changes any more.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Resize,
    Sync,
}

#[derive(Debug, Clone)]
enum Pending {
    Write { at: u64, data: Vec<u8> },
    SetLen(u64),
}

#[derive(Debug)]
struct State {
    durable: Vec<u8>,
    /// Since the last sync, in order.
    pending: Vec<Pending>,
    visible: Vec<u8>,
    /// The fault, and how many operations that it concerns still go well.
    fault: Option<(Fault, u64)>,
    /// [`Fault::All`] has struck.
    dead: bool,
    /// How many syncs there were.
    syncs: u64,
    rng: Rng,
}

/// A handle on the disk; clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk; what is left to chance depends on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self::with(Vec::new(), Rng::new(seed))
    }

    fn with(durable: Vec<u8>, rng: Rng) -> Self {
        let visible = durable.clone();
        Self(Arc::new(Mutex::new(State {
            durable,
            pending: Vec::new(),
            visible,
            fault: None,
            dead: false,
            syncs: 0,
            rng,
        })))
    }

    /// From now on.
    pub fn fail(&self, fault: Fault) {
        self.fail_after(0, fault);
    }

    /// Once `good` more operations that the fault concerns went well. Power ([`Fault::All`]) counts writes,
    /// resizings and syncs.
    pub fn fail_after(&self, good: u64, fault: Fault) {
        self.state().fault = Some((fault, good));
    }

    /// Works again.
    pub fn heal(&self) {
        let mut state = self.state();
        state.fault = None;
        state.dead = false;
    }

    /// How many syncs there were so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Ends this disk, and gives the one that is found afterwards: each write since the last sync is there or
    /// not, sector by sector, and so is each change of length.
    pub fn power_cut(&self) -> Self {
        let mut state = self.state();
        state.dead = true;
        let sector = state.rng.pick(&[512, PAGE]);
        let mut image = state.durable.clone();
        let pending = state.pending.clone();
        // How much of it got out: all, none, or any share of it.
        let (share, of) = state.rng.pick(&[(0, 1), (1, 8), (1, 2), (7, 8), (1, 1)]);
        for operation in pending {
            match operation {
                Pending::SetLen(len) if state.rng.below(of) < share => resize(&mut image, len),
                Pending::SetLen(_) => {}
                Pending::Write { at, data } => {
                    for (at, piece) in pieces(at, &data, sector) {
                        if state.rng.below(of) < share {
                            put(&mut image, at, piece);
                        }
                    }
                }
            }
        }
        let seed = state.rng.next();
        Self::with(image, Rng::new(seed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for SimDisk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive().map(|()| state.visible.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.pass(Kind::Read)?;
        let range = offset as usize..offset as usize + out.len();
        let there = state.visible.get(range).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let passed = state.pass(Kind::Write);
        // A write that fails has written some of its pages; one that the power is cut in was on its way.
        let whole = passed.is_ok() || state.dead;
        let done = if whole { usize::MAX } else { state.rng.below(data.len() as u64 / PAGE + 1) as usize };
        for (at, piece) in pieces(offset, data, PAGE).take(done) {
            put(&mut state.visible, at, piece);
            state.pending.push(Pending::Write { at, data: piece.to_vec() });
        }
        passed
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let passed = if len > state.visible.len() as u64 { state.pass(Kind::Resize) } else { Ok(()) };
        if passed.is_ok() || state.dead {
            resize(&mut state.visible, len);
            state.pending.push(Pending::SetLen(len));
        }
        passed
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        let passed = state.pass(Kind::Sync);
        let whole = passed.is_ok() || matches!(state.fault, Some((Fault::SyncOf(_), _)));
        if whole {
            let State { durable, pending, .. } = &mut *state;
            pending.drain(..).for_each(|operation| apply(durable, &operation));
        } else if !state.dead {
            state.half_sync();
        }
        passed
    }

    fn distrust_caches(&self) {
        let State { durable, pending, visible, .. } = &mut *self.state();
        visible.clone_from(durable);
        pending.iter().for_each(|operation| apply(visible, operation));
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(dead()) } else { Ok(()) }
    }

    /// Whether an operation goes well.
    fn pass(&mut self, kind: Kind) -> io::Result<()> {
        self.alive()?;
        let Some((fault, good)) = &mut self.fault else { return Ok(()) };
        let concerned = match fault {
            Fault::Full => matches!(kind, Kind::Write | Kind::Resize),
            Fault::Panics => matches!(kind, Kind::Write | Kind::Sync),
            Fault::Sync | Fault::SyncOf(_) => kind == Kind::Sync,
            Fault::Read => kind == Kind::Read,
            Fault::Flaky | Fault::All => kind != Kind::Read,
        };
        if !concerned {
            return Ok(());
        }
        if *good > 0 {
            *good -= 1;
            return Ok(());
        }
        let fault = *fault;
        if fault == Fault::Flaky && self.rng.one_in(2) {
            return Ok(());
        }
        if let Fault::SyncOf(count) = fault {
            self.fault = Some((fault, count - 1));
        }
        self.dead = fault == Fault::All;
        Err(match fault {
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::All => dead(),
            Fault::Panics => panic!("the disk of the test panics"),
            _ => io::Error::other("the disk fails"),
        })
    }

    /// A sync that fails: each page written since the last one is durable, or still to be written, or lost; of
    /// the lost ones, some are shown until the page cache is dropped.
    fn half_sync(&mut self) {
        let mut fates: BTreeMap<u64, u64> = BTreeMap::new();
        let mut left = Vec::new();
        for operation in std::mem::take(&mut self.pending) {
            match operation {
                Pending::SetLen(len) => {
                    resize(&mut self.durable, len);
                    left.retain(|kept| !matches!(kept, Pending::Write { at, .. } if *at >= len));
                }
                Pending::Write { at, ref data } => {
                    let rng = &mut self.rng;
                    match fates.entry(at / PAGE).or_insert_with(|| rng.below(4)) {
                        0 => put(&mut self.durable, at, data),
                        1 => left.push(operation),
                        _ => {}
                    }
                }
            }
        }
        self.pending = left;
        let evicted: Vec<u64> = fates.iter().filter(|(_, fate)| **fate == 2).map(|(page, _)| *page).collect();
        for page in evicted {
            let (from, to) = ((page * PAGE) as usize, ((page + 1) * PAGE) as usize);
            let to = to.min(self.durable.len()).min(self.visible.len());
            if from < to {
                self.visible[from..to].copy_from_slice(&self.durable[from..to]);
            }
        }
    }
}

fn dead() -> io::Error {
    io::Error::other("the power is off")
}

fn apply(image: &mut Vec<u8>, operation: &Pending) {
    match operation {
        Pending::SetLen(len) => resize(image, *len),
        Pending::Write { at, data } => put(image, *at, data),
    }
}

/// `Vec::resize`, without its loop over the bytes.
fn resize(image: &mut Vec<u8>, len: u64) {
    let more = (len as usize).saturating_sub(image.len());
    image.truncate(len as usize);
    image.extend_from_slice(&vec![0; more]);
}

fn put(image: &mut Vec<u8>, at: u64, data: &[u8]) {
    let (from, to) = (at as usize, at as usize + data.len());
    if image.len() < to {
        resize(image, to as u64);
    }
    image[from..to].copy_from_slice(data);
}

/// `data` cut at the multiples of `size`.
fn pieces(at: u64, data: &[u8], size: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let here = at + start as u64;
        let end = data.len().min(start + (size - here % size) as usize);
        let piece = (start < end).then(|| (here, &data[start..end]));
        start = end;
        piece
    })
}
