//! How a section of the settings is written down: its struct, its table and its reader from one place.

/// Makes a struct with one field for each setting, the table of them, and the reader.
macro_rules! section {
    (
        $(#[$outer:meta])* $name:ident in $prefix:literal {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:literal, $allowed:literal; )+
        }
        $( parts { $( $part:ident: $part_type:ident, )+ } )?
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
            $( $( #[doc = concat!("The section `", stringify!($part), "`.")] pub $part: $part_type, )+ )?
        }

        impl $name {
            pub(super) const SETTINGS: &'static [Setting] = &[ $( Setting {
                key: concat!($prefix, stringify!($field)),
                default: $default,
                allowed: $allowed,
                doc: concat!($( $doc, "\n" ),+),
            }, )+ ];

            pub(super) fn read(values: &Values) -> Result<Self> {
                Ok(Self {
                    $( $field: values.get(concat!($prefix, stringify!($field)))?, )+
                    $( $( $part: $part_type::read(values)?, )+ )?
                })
            }
        }
    };
}

pub(super) use section;
