//! The shape of a body, from the schema that the spec shows: so that a missing field or a wrong type is named.
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use foldhash::fast::RandomState;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde_json::Value;

use crate::base::{Error, Result};

/// Fields of a JSON object.
pub struct Shape(Vec<Field>);

struct Field {
    name: &'static str,
    kind: Kind,
    /// What the items of an array are.
    items: Option<Kind>,
    is_required: bool,
}

/// What a value may be: its JSON type (empty: any), and for numbers which.
#[derive(Clone, Copy)]
struct Kind {
    ty: &'static str,
    format: &'static str,
}

/// Shapes by type: each is derived once.
static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<Shape>, RandomState>>> = LazyLock::new(RwLock::default);

impl Shape {
    /// The shape of a body type.
    pub fn of<T: Type + 'static>() -> Arc<Self> {
        let id = TypeId::of::<T>();
        if let Some(shape) = SHAPES.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(shape);
        }
        let mut registry = Registry::new();
        T::register(&mut registry);
        let shape = Arc::new(registry.schemas.get(&*T::name()).map_or(Self(Vec::new()), Self::from_schema));
        SHAPES.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&shape));
        shape
    }

    /// Whether a field is a list.
    #[must_use]
    pub fn has_list(&self, name: &str) -> bool {
        self.0.iter().any(|field| field.name == name && field.kind.ty == "array")
    }

    fn from_schema(schema: &MetaSchema) -> Self {
        let field = |(name, property): &(&'static str, MetaSchemaRef)| Field {
            name,
            kind: Kind::of(property),
            items: match property {
                MetaSchemaRef::Inline(inner) => inner.items.as_deref().map(Kind::of),
                MetaSchemaRef::Reference(_) => None,
            },
            is_required: schema.required.contains(name),
        };
        Self(schema.properties.iter().map(field).collect())
    }

    /// Whether a value is an object with every field it needs, each of the right type. More fields are ignored.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field, `body` for a value that is no object.
    pub fn check(&self, value: &Value) -> Result<()> {
        let Value::Object(fields) = value else {
            return Err(Error::invalid("body", "must be a JSON object"));
        };
        for Field { name, kind, items, is_required } in &self.0 {
            let value = match fields.get(*name) {
                None | Some(Value::Null) if *is_required => return Err(Error::invalid(*name, "is required")),
                None | Some(Value::Null) => continue,
                Some(value) => value,
            };
            if !kind.has(value) {
                return Err(Error::invalid(*name, format!("must be {}", with_article(kind.ty))));
            }
            if !kind.reaches(value) {
                return Err(Error::invalid(*name, "is out of range"));
            }
            if let (Some(kind), Some(all)) = (items, value.as_array())
                && !all.iter().all(|item| kind.has(item) && kind.reaches(item))
            {
                return Err(Error::invalid(*name, format!("must hold {}s alone", kind.ty)));
            }
        }
        Ok(())
    }
}

impl Kind {
    fn of(schema: &MetaSchemaRef) -> Self {
        match schema {
            MetaSchemaRef::Inline(inner) => Self { ty: inner.ty, format: inner.format.unwrap_or_default() },
            MetaSchemaRef::Reference(_) => Self { ty: "", format: "" },
        }
    }

    fn has(self, value: &Value) -> bool {
        match self.ty {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        }
    }

    /// Whether a number is none too large or small.
    fn reaches(self, value: &Value) -> bool {
        match (self.ty, self.format) {
            ("integer", "uint32") => value.as_u64().is_some_and(|number| u32::try_from(number).is_ok()),
            ("integer", "uint64") => value.is_u64(),
            ("integer", "int64") => value.is_i64(),
            _ => true,
        }
    }
}

fn with_article(ty: &str) -> String {
    let article = if ty.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {ty}")
}
