//! The power fails at any moment: what was acknowledged is there, everything else wholly or not at all.
use auth_service::base::{Error, Result};
use auth_service::store::Store;
use futures_util::future::join_all;
use std::sync::Arc;

use crate::disk::{Fault, SimDisk};
use crate::ledger::{Heard, Transfer, audit, found};
use crate::support::{Rng, for_seeds, in_one_batch, number, options, runtime};

struct History {
    rng: Rng,
    disk: SimDisk,
    heard: Heard,
    clients: u64,
}

#[test]
fn whatever_the_power_cuts_no_acknowledged_change_is_lost_and_none_is_halved() {
    for_seeds(number("AUTH_TEST_HISTORIES").unwrap_or(250), 2, |seed| {
        let rng = Rng::new(seed);
        let disk = SimDisk::new(seed);
        let mut history = History { rng, disk, heard: Heard::default(), clients: 0 };
        for _ in 0..=history.rng.below(3) {
            history.live();
            history.disk = history.disk.power_cut();
            history.live_briefly();
        }
        history.end();
    });
}

impl History {
    /// A store that runs until the power is cut somewhere, perhaps while it opens or closes.
    fn live(&mut self) {
        // Mostly in the first commits; also long after, when the file has grown and shrunk.
        let cut = match self.rng.below(8) {
            0 => self.rng.below(12),
            1..6 => self.rng.below(120),
            _ => self.rng.below(1500),
        };
        self.disk.fail_after(cut, Fault::All);
        let Ok(store) = self.open() else { return };
        for _ in 0..self.rng.below(12) {
            if self.round(&store).is_err() {
                break;
            }
        }
        store.close();
    }

    /// A store whose power is cut while it recovers, or just after.
    fn live_briefly(&mut self) {
        while self.rng.one_in(2) {
            self.disk.fail_after(self.rng.below(25), Fault::All);
            if let Ok(store) = self.open() {
                drop(self.round(&store));
                store.close();
            }
            self.disk = self.disk.power_cut();
        }
    }

    /// A store on what is left opens, holds what it must, and works on.
    fn end(&mut self) {
        let store = self.open().unwrap();
        self.round(&store).unwrap();
        self.heard.check(&audit(&store).unwrap());
        store.close();
        let store = self.open().unwrap();
        assert_eq!(store.verify_file(), Ok(true), "the file is damaged");
        store.close();
    }

    fn open(&mut self) -> Result<Store> {
        let cache_bytes = self.rng.pick(&[0, 40_000, 400_000, 4_000_000]);
        let store = Store::open_disk(Arc::new(self.disk.clone()), options(cache_bytes))?;
        match audit(&store) {
            Ok(found) => self.heard.check(&found),
            Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error:?}"),
        }
        Ok(store)
    }

    /// Some changes at the same time; an error when the store takes none.
    fn round(&mut self, store: &Store) -> Result<()> {
        let rounds = runtime();
        rounds.block_on(store.write(found))?;
        let transfers: Vec<Transfer> =
            (0..=self.rng.below(11)).map(|n| Transfer::random(&mut self.rng, self.clients + n)).collect();
        self.clients += transfers.len() as u64;
        let clients = transfers.iter().map(|transfer| transfer.client).collect::<Vec<_>>();
        let changes = transfers.into_iter().map(|transfer| store.write(move |tx| transfer.run(tx))).collect();
        let answers = rounds.block_on(async {
            if self.rng.one_in(4) {
                join_all::<Vec<_>>(changes).await
            } else {
                in_one_batch(store, changes).await
            }
        });
        for (client, answer) in clients.iter().zip(&answers) {
            self.heard.learn(*client, answer);
        }
        answers
            .into_iter()
            .find(|answer| matches!(answer, Err(Error::Unavailable(_))))
            .map_or(Ok(()), |e| e.map(drop))
    }
}
