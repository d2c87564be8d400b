//! Where mails wait, and decoys beside them. The indexes of what is due and the counts are written here and nowhere else.
use super::model::{Queued, Turns};
use crate::base::{Error, Id, Page, PageRequest, Result, Timestamp};
use crate::crypto::sha256;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// Mails in the order of their ids, and of when they are due.
pub struct Queue {
    /// id -> mail
    mails: Map<Queued>,
    /// when it is tried next ++ id -> nothing
    due: Map<()>,
    /// nothing -> how many there are
    count: Map<u64>,
}

/// The mails that leave.
pub const MAILS: Queue =
    Queue { mails: Map::new("mail.queue"), due: Map::new("mail.due"), count: Map::new("mail.count") };
/// Those to addresses that nobody has: written and taken out again like others, so that time does not tell the one from the
/// other. They never leave, and nobody sees them.
pub const DECOYS: Queue = Queue {
    mails: Map::new("mail.decoy"),
    due: Map::new("mail.decoy_due"),
    count: Map::new("mail.decoy_count"),
};
/// hash of kind and address -> when such mails went there
const TURNS: Map<Turns> = Map::new("mail.turns");
/// Mails that wait; one more is not queued.
const MOST: u64 = 10_000;
/// Decoys that wait; one more takes the place of the oldest.
pub const MOST_DECOYS: u64 = 1000;
const HOUR_SECS: i64 = 3600;

impl Record for Queued {
    const VERSION: u8 = 1;
}
impl Record for Turns {
    const VERSION: u8 = 1;
}

/// How turns and decoys end.
pub const SWEEPS: [Sweep; 2] = [
    Sweep {
        table: TURNS.name(),
        end: |tx, key, now| {
            let last = TURNS.get(tx, key)?.and_then(|turns| turns.at.last().copied());
            let end = last.map(|last| last.plus_secs(HOUR_SECS));
            if end.is_some_and(|end| end > now) {
                return Ok(end);
            }
            TURNS.remove(tx, key);
            Ok(None)
        },
    },
    Sweep {
        table: DECOYS.name(),
        end: |tx, key, _| {
            if let Some(decoy) = DECOYS.by_key(tx, key)? {
                DECOYS.remove(tx, &decoy)?;
            }
            Ok(None)
        },
    },
];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (MAILS.name(), |tx, key, value| MAILS.verify(tx, key, value)),
    (MAILS.due.name(), |tx, key, _| points_at(tx, MAILS.name(), key.get(8..).unwrap_or_default())),
    (MAILS.count.name(), |_, _, value| MAILS.count.decode(value).map(|_| None)),
    (DECOYS.name(), |tx, key, value| DECOYS.verify(tx, key, value)),
    (DECOYS.due.name(), |tx, key, _| points_at(tx, DECOYS.name(), key.get(8..).unwrap_or_default())),
    (DECOYS.count.name(), |_, _, value| DECOYS.count.decode(value).map(|_| None)),
    (TURNS.name(), |_, _, value| TURNS.decode(value).map(|_| None)),
];

impl Queue {
    /// Its table in the expiry index.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.mails.name()
    }

    /// The mail with an id.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn by_id(&self, tx: &impl Tx, id: Id<Queued>) -> Result<Option<Queued>> {
        self.by_key(tx, id.as_bytes())
    }

    /// The mail in a row of the expiry index.
    ///
    /// # Errors
    /// As [`Queue::by_id`].
    pub fn by_key(&self, tx: &impl Tx, key: &[u8]) -> Result<Option<Queued>> {
        self.mails.get(tx, key)
    }

    /// One page of what waits, the oldest first.
    ///
    /// # Errors
    /// As [`Queue::by_id`].
    pub fn page(&self, tx: &impl Tx, request: &PageRequest) -> Result<Page<Queued>> {
        self.mails.page(tx, &[], request)
    }

    /// Some of those whose time has come, the longest due first.
    ///
    /// # Errors
    /// As [`Queue::by_id`].
    pub fn due(&self, tx: &impl Tx, now: Timestamp, limit: usize) -> Result<Vec<Queued>> {
        let rows = self.due.first(tx, &[], limit)?;
        let is_due =
            |key: &Vec<u8>| key.get(..8).is_none_or(|when| when <= &now.micros().max(0).to_be_bytes()[..]);
        let ids = rows.into_iter().map(|(key, ())| key).take_while(is_due);
        let mails = ids.filter_map(|key| self.by_key(tx, key.get(8..).unwrap_or_default()).transpose());
        mails.collect()
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Queue::by_id`].
    pub fn count(&self, tx: &impl Tx) -> Result<u64> {
        Ok(self.count.get(tx, &[])?.unwrap_or(0))
    }

    /// Writes a mail that is to be tried at another time.
    ///
    /// # Errors
    /// `Error::NotFound` for one that is gone.
    pub fn update(&self, tx: &mut WriteTx, queued: &Queued) -> Result<()> {
        let old = self.by_id(tx, queued.id)?.ok_or(Error::NotFound("mail"))?;
        self.due.remove(tx, &due_key(&old));
        self.put(tx, queued)
    }

    /// Removes a mail, if it is there.
    ///
    /// # Errors
    /// As [`Queue::by_id`].
    pub fn remove(&self, tx: &mut WriteTx, queued: &Queued) -> Result<()> {
        let Some(there) = self.by_id(tx, queued.id)? else { return Ok(()) };
        self.due.remove(tx, &due_key(&there));
        self.mails.remove(tx, there.id.as_bytes());
        let left = self.count(tx)?.saturating_sub(1);
        self.count.put(tx, &[], &left)
    }

    fn insert(&self, tx: &mut WriteTx, queued: &Queued) -> Result<()> {
        let count = self.count(tx)?;
        self.count.put(tx, &[], &(count + 1))?;
        expire_at(tx, self.name(), queued.id.as_bytes(), queued.expires_at)?;
        self.put(tx, queued)
    }

    fn put(&self, tx: &mut WriteTx, queued: &Queued) -> Result<()> {
        self.due.put(tx, &due_key(queued), &())?;
        self.mails.put(tx, queued.id.as_bytes(), queued)
    }

    fn verify(&self, tx: &impl Tx, key: &[u8], value: &[u8]) -> Result<Option<String>> {
        let queued = self.mails.decode(value)?;
        let listed = self.due.get(tx, &due_key(&queued))?.is_some();
        Ok((!(listed && key == queued.id.as_bytes())).then(|| "is not in the list of what is due".to_owned()))
    }
}

/// Takes a turn for a mail of one kind to one address, whether anybody has it or not.
///
/// # Errors
/// As [`Queue::by_id`].
///
/// # Returns
/// Whether there was one left.
pub fn take_turn(tx: &mut WriteTx, kind: u8, address: &[u8], now: Timestamp) -> Result<bool> {
    let key = sha256(&[&[kind], address]);
    let Some(turns) = TURNS.get(tx, &key)?.unwrap_or_default().take(now) else { return Ok(false) };
    if turns.at.len() == 1 {
        expire_at(tx, TURNS.name(), &key, now.plus_secs(HOUR_SECS))?;
    }
    TURNS.put(tx, &key, &turns)?;
    Ok(true)
}

/// Writes a mail behind the others: call it in the change that it is about.
///
/// # Errors
/// As [`Queue::by_id`].
///
/// # Returns
/// Whether there was room.
pub fn enqueue(tx: &mut WriteTx, queued: &Queued) -> Result<bool> {
    let has_room = MAILS.count(tx)? < MOST;
    if has_room {
        MAILS.insert(tx, queued)?;
    }
    Ok(has_room)
}

/// Writes a decoy where a mail would be written.
///
/// # Errors
/// As [`Queue::by_id`].
///
/// # Returns
/// Whether there was room.
pub fn enqueue_decoy(tx: &mut WriteTx, queued: &Queued) -> Result<bool> {
    let has_room = MAILS.count(tx)? < MOST;
    if has_room {
        if DECOYS.count(tx)? >= MOST_DECOYS {
            let oldest = DECOYS.page(tx, &PageRequest { after: None, limit: 1 })?.items;
            oldest.iter().try_for_each(|oldest| DECOYS.remove(tx, oldest))?;
        }
        DECOYS.insert(tx, queued)?;
    }
    Ok(has_room)
}

fn due_key(queued: &Queued) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&queued.next_at.micros().max(0).to_be_bytes());
    key[8..].copy_from_slice(queued.id.as_bytes());
    key
}
