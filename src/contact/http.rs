//! `/auth/me/contact`: where I can be reached, beside my e-mail address.
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::{Address, Contact, parse_phone};
use super::service::Contacts;
use crate::base::{Result, Timestamp};
use crate::http::{Failure, Json, May, spec};
use crate::rbac::Named;
use crate::rbac::permission::{AccountRead, AccountWrite};

/// Contacts.
pub struct ContactApi(pub Contacts);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("put_contact", &["NOT_FOUND"])];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] =
    &[("get_contact", AccountRead::NAME), ("put_contact", AccountWrite::NAME)];

/// A postal address.
#[derive(Object, Serialize)]
struct AddressBody {
    /// With lines, if it has several.
    street_address: Option<String>,
    locality: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country: Option<String>,
}

/// Where a user can be reached. Applications are told it that the user lets have `phone` or `address`.
#[derive(Object, Serialize)]
#[oai(example)]
struct ContactBody {
    /// With the country's code, as in `+49 30 901820`.
    phone_number: Option<String>,
    address: Option<AddressBody>,
}

#[OpenApi]
impl ContactApi {
    /// Where I can be reached
    #[oai(path = "/auth/me/contact", method = "get", operation_id = "get_contact")]
    async fn read(&self, caller: May<AccountRead>) -> Result<Json<ContactBody>, Failure> {
        Ok(Json(ContactBody::of(self.0.read(caller.actor.user()?.id)?)))
    }

    /// Say where I can be reached
    ///
    /// What is left out is not known any more.
    #[oai(path = "/auth/me/contact", method = "put", operation_id = "put_contact")]
    async fn write(
        &self,
        caller: May<AccountWrite>,
        body: Json<ContactBody>,
    ) -> Result<Json<ContactBody>, Failure> {
        let user = caller.actor.user()?.id;
        let written = self.0.put(caller.initiator(), user, body.0.parse()?).await?;
        Ok(Json(ContactBody::of(written)))
    }
}

impl ContactBody {
    fn of(contact: Contact) -> Self {
        let address = contact.address.map(|address| {
            let Address { street_address, locality, region, postal_code, country } = address;
            AddressBody { street_address, locality, region, postal_code, country }
        });
        Self { phone_number: contact.phone_number, address }
    }

    fn parse(self) -> Result<Contact> {
        let address = self.address.map(|body| {
            let AddressBody { street_address, locality, region, postal_code, country } = body;
            Address { street_address, locality, region, postal_code, country }.parse()
        });
        Ok(Contact {
            phone_number: parse_phone(&self.phone_number.unwrap_or_default())?,
            address: address.transpose()?.flatten(),
            // The change says when it was.
            updated_at: Timestamp::from_secs(0),
        })
    }
}

impl Example for ContactBody {
    fn example() -> Self {
        let some = |text: &str| Some(text.to_owned());
        Self {
            phone_number: some("+4930901820"),
            address: Some(AddressBody {
                street_address: some("Hauptstr. 1"),
                locality: some("Berlin"),
                region: None,
                postal_code: some("10115"),
                country: some("DE"),
            }),
        }
    }
}
