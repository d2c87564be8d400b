//! The shape of a body, from the schema that the spec shows: so that a missing field or a wrong type is named.
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde_json::Value;

use crate::base::{Error, Result};

/// Fields of a JSON object: name, JSON type (empty: any), whether it must be there.
pub struct Shape(Vec<(&'static str, &'static str, bool)>);

/// Shapes by type: each is derived once.
static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<Shape>>>> = LazyLock::new(RwLock::default);

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

    fn from_schema(schema: &MetaSchema) -> Self {
        let fields = schema.properties.iter().map(|(name, property)| {
            let ty = match property {
                MetaSchemaRef::Inline(inner) => inner.ty,
                MetaSchemaRef::Reference(_) => "",
            };
            (*name, ty, schema.required.contains(name))
        });
        Self(fields.collect())
    }

    /// Whether a value is an object with every field it needs, each of the right type. More fields are ignored.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field, `body` for a value that is no object.
    pub fn check(&self, value: &Value) -> Result<()> {
        let Value::Object(fields) = value else {
            return Err(Error::invalid("body", "must be a JSON object"));
        };
        for (name, ty, required) in &self.0 {
            match fields.get(*name) {
                None | Some(Value::Null) if *required => return Err(Error::invalid(*name, "is required")),
                None | Some(Value::Null) => {}
                Some(value) if is_of_type(value, ty) => {}
                Some(_) => return Err(Error::invalid(*name, format!("must be {}", with_article(ty)))),
            }
        }
        Ok(())
    }
}

fn is_of_type(value: &Value, ty: &str) -> bool {
    match ty {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn with_article(ty: &str) -> String {
    let article = if ty.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {ty}")
}
