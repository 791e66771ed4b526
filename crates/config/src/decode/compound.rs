//! Lists, objects, variants.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer};

use super::Decoder;
use super::error::Error;
use crate::value::{Field, Reference, Value};

pub(super) struct Items<'v> {
    items: std::slice::Iter<'v, Value>,
}

impl<'v> Items<'v> {
    pub(super) fn new(items: &'v [Value]) -> Self {
        Self { items: items.iter() }
    }
}

impl<'v> de::SeqAccess<'v> for Items<'v> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'v>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let result = seed.deserialize(Decoder { value });
        result.map(Some).map_err(|error| error.at(&value.at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

pub(super) struct Fields<'v> {
    fields: std::slice::Iter<'v, Field>,
    current: Option<&'v Field>,
}

impl<'v> Fields<'v> {
    pub(super) fn new(fields: &'v [Field]) -> Self {
        Self { fields: fields.iter(), current: None }
    }
}

impl<'v> de::MapAccess<'v> for Fields<'v> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.fields.next();
        let Some(field) = self.current else { return Ok(None) };
        let name: StrDeserializer<'_, Error> = field.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|error| error.at(&field.name_at))
    }

    fn next_value_seed<V: DeserializeSeed<'v>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(field) = self.current else {
            return Err(de::Error::custom("a value without a name"));
        };
        let result = seed.deserialize(Decoder { value: &field.value });
        result.map_err(|error| error.at(&field.value.at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// An object with one field, as the variant of an enum.
pub(super) struct Variant<'v> {
    field: &'v Field,
}

impl<'v> Variant<'v> {
    pub(super) fn new(field: &'v Field) -> Self {
        Self { field }
    }

    fn decoder(&self) -> Decoder<'v> {
        Decoder { value: &self.field.value }
    }
}

impl<'v> de::EnumAccess<'v> for Variant<'v> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'v>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.field.name.as_str().into_deserializer();
        let variant = seed.deserialize(name).map_err(|error| error.at(&self.field.name_at))?;
        Ok((variant, self))
    }
}

impl<'v> de::VariantAccess<'v> for Variant<'v> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.field.value.as_object() {
            Some(object) if object.fields.is_empty() => Ok(()),
            _ => Err(self.decoder().wrong("an empty block")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.decoder())
    }

    fn tuple_variant<V: de::Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(self.decoder(), visitor)
    }

    fn struct_variant<V: de::Visitor<'v>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_map(self.decoder(), visitor)
    }
}

type Pairs<'v> = std::array::IntoIter<(&'static str, &'v str), 2>;

/// A reference as the two fields of its type.
pub(super) fn reference(reference: &Reference) -> MapDeserializer<'_, Pairs<'_>, Error> {
    let pairs = [("node", reference.node.as_str()), ("export", reference.export.as_str())];
    MapDeserializer::new(pairs.into_iter())
}
