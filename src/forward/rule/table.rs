//! Where rules are kept, and their order.
use super::model::Rule;
use crate::base::{Id, Result};
use crate::store::{Check, Map, Record, Tx, WriteTx};

/// id -> rule
const RULES: Map<Rule> = Map::new("forward.rule");
/// nothing -> the ids of all rules, in order
const ORDER: Map<Order> = Map::new("forward.rule.order");

/// The order of all rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Order(pub Vec<Id<Rule>>);

impl Record for Rule {
    const VERSION: u8 = 1;
}
impl Record for Order {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (RULES.name(), |tx, key, value| {
        let rule = RULES.decode(value)?;
        if rule.id.as_bytes() != key {
            return Ok(Some("stands under another id".to_owned()));
        }
        Ok((!order(tx)?.contains(&rule.id)).then(|| "is not in the order".to_owned()))
    }),
    (ORDER.name(), |tx, _, value| {
        for id in ORDER.decode(value)?.0 {
            if RULES.get(tx, id.as_bytes())?.is_none() {
                return Ok(Some(format!("has the rule {id}, which is not there")));
            }
        }
        Ok(None)
    }),
];

/// The ids of all rules, in order.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn order(tx: &impl Tx) -> Result<Vec<Id<Rule>>> {
    Ok(ORDER.get(tx, &[])?.unwrap_or_default().0)
}

/// All rules, in order.
///
/// # Errors
/// As [`order`].
pub fn all(tx: &impl Tx) -> Result<Vec<Rule>> {
    let mut all = Vec::new();
    for id in order(tx)? {
        all.extend(by_id(tx, id)?);
    }
    Ok(all)
}

/// A rule.
///
/// # Errors
/// As [`order`].
pub fn by_id(tx: &impl Tx, id: Id<Rule>) -> Result<Option<Rule>> {
    RULES.get(tx, id.as_bytes())
}

/// Writes a rule, at a place in the order: where it stood before, it stands no longer.
///
/// # Errors
/// As [`order`].
pub fn put(tx: &mut WriteTx, rule: &Rule, place: usize) -> Result<()> {
    let mut order = order(tx)?;
    order.retain(|id| *id != rule.id);
    order.insert(place.min(order.len()), rule.id);
    ORDER.put(tx, &[], &Order(order))?;
    RULES.put(tx, rule.id.as_bytes(), rule)
}

/// Removes a rule.
///
/// # Errors
/// As [`order`].
pub fn remove(tx: &mut WriteTx, id: Id<Rule>) -> Result<()> {
    let mut order = order(tx)?;
    order.retain(|one| *one != id);
    ORDER.put(tx, &[], &Order(order))?;
    RULES.remove(tx, id.as_bytes());
    Ok(())
}
