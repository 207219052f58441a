//! The macro generated enums are written in. An AWS enum is open: a value the model does not know yet is kept, not refused,
//! so that stored rows and newer peers still decode; inputs are held to the model's values elsewhere.

/// `wire::enumeration! { pub enum LaunchType { Ec2 = "EC2", Fargate = "FARGATE" } }`
#[macro_export]
macro_rules! enumeration {
    ($($(#[$attribute:meta])* pub enum $name:ident { $($variant:ident = $value:literal),* $(,)? })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($variant,)*
            UnknownValue(String),
        }

        impl $name {
            /// What the model knows, in its order.
            pub const VALUES: &'static [&'static str] = &[$($value),*];

            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $value,)*
                    $name::UnknownValue(value) => value,
                }
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> $name {
                match value {
                    $($value => $name::$variant,)*
                    _ => $name::UnknownValue(value.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> $name {
                $name::from(value.as_str())
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<$name, D::Error> {
                <String as ::serde::Deserialize>::deserialize(deserializer).map($name::from)
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    enumeration! { pub enum Kind { JsonFile = "json-file", Awslogs = "awslogs" } }

    #[test]
    fn a_value_the_model_does_not_know_is_kept() {
        let kinds: Vec<Kind> = serde_json::from_str(r#"["json-file","new"]"#).unwrap();
        assert_eq!(kinds, [Kind::JsonFile, Kind::UnknownValue("new".into())]);
        assert_eq!(serde_json::to_string(&kinds).unwrap(), r#"["json-file","new"]"#);
        assert_eq!(Kind::VALUES, ["json-file", "awslogs"]);
    }
}
