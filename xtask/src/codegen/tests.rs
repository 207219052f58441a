use super::*;
use expect_test::{Expect, expect};

#[test]
fn regenerating_changes_nothing() {
    run(crate::root(), true).unwrap();
}

/// A service of an older protocol, with what ECS has none of.
const ODD: &str = r#"{
  "metadata": {
    "apiVersion": "2010-01-01", "endpointPrefix": "odd", "protocol": "query", "serviceId": "Odd Shop",
    "xmlNamespace": "https://odd.example/doc/"
  },
  "operations": {
    "Error": {
      "name": "Error",
      "http": { "method": "GET", "requestUri": "/{Key+}?x=1" },
      "input": { "shape": "Error" },
      "output": { "shape": "Tree", "resultWrapper": "ErrorResult" },
      "errors": [{ "shape": "GoneFault" }]
    },
    "Ping": { "name": "Ping", "http": { "method": "POST", "requestUri": "/" } }
  },
  "shapes": {
    "Error": {
      "type": "structure",
      "required": ["Key"],
      "payload": "Body",
      "members": {
        "Key": { "shape": "Text", "location": "uri", "locationName": "Key" },
        "Body": { "shape": "Bytes", "streaming": true },
        "Names": { "shape": "Names", "queryName": "N", "xmlNamespace": { "uri": "https://n/" } },
        "self": { "shape": "Text", "xmlAttribute": true },
        "Any": { "shape": "Any" }
      }
    },
    "Any": { "type": "structure", "members": {}, "document": true },
    "Bytes": { "type": "blob", "streaming": true },
    "Text": { "type": "string", "pattern": "[\"\\w]+" },
    "Names": { "type": "list", "member": { "shape": "Text", "locationName": "Name" }, "flattened": true, "max": 3 },
    "Tree": {
      "type": "structure",
      "members": { "left": { "shape": "Tree" }, "all": { "shape": "Trees" }, "byName": { "shape": "TreeMap" }, "at": { "shape": "At" } }
    },
    "Trees": { "type": "list", "member": { "shape": "Tree" } },
    "TreeMap": { "type": "map", "key": { "shape": "Text" }, "value": { "shape": "Tree" }, "sparse": true },
    "At": { "type": "timestamp", "timestampFormat": "iso8601" },
    "Kind": { "type": "string", "enum": ["5xx", "a-b", "A_B"] },
    "GoneFault": {
      "type": "structure",
      "members": { "Message": { "shape": "Text" }, "kind": { "shape": "Kind" } },
      "error": { "code": "Gone", "httpStatusCode": 404, "senderFault": true },
      "exception": true
    }
  },
  "pagination": {
    "Error": { "input_token": ["A", "B"], "output_token": ["C", "D"], "result_key": "Names" }
  }
}"#;

fn check(file: &str, expected: Expect) {
    let service = serde_json::from_str(ODD).unwrap();
    let config =
        toml::from_str("model = \"odd/2010-01-01\"\noperations = \"all\"\nconstraint_error = \"ValidationError\"").unwrap();
    let files = files(&service, &config).unwrap();
    let (_, text) = files.into_iter().find(|(name, _)| *name == file).unwrap();
    expected.assert_eq(&format(crate::root(), &text).unwrap());
}

#[test]
fn names_that_are_taken_step_aside_and_recursion_is_boxed() {
    check(
        "shapes.rs",
        expect![[r#"
            use super::enums::*;
            use serde::{Deserialize, Serialize};
            use std::collections::BTreeMap;

            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            pub struct ErrorShape {
                #[serde(rename = "Key", skip_serializing_if = "Option::is_none")]
                pub key: Option<String>,
                #[serde(rename = "Body", skip_serializing_if = "Option::is_none")]
                pub body: Option<wire::Blob>,
                #[serde(rename = "Names", skip_serializing_if = "Option::is_none")]
                pub names: Option<Vec<String>>,
                #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
                pub self_: Option<String>,
                #[serde(rename = "Any", skip_serializing_if = "Option::is_none")]
                pub any: Option<serde_json::Value>,
            }

            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            pub struct Tree {
                #[serde(skip_serializing_if = "Option::is_none")]
                pub left: Option<Box<Tree>>,
                #[serde(skip_serializing_if = "Option::is_none")]
                pub all: Option<Vec<Tree>>,
                #[serde(rename = "byName", skip_serializing_if = "Option::is_none")]
                pub by_name: Option<BTreeMap<String, Option<Tree>>>,
                #[serde(skip_serializing_if = "Option::is_none")]
                pub at: Option<wire::Timestamp>,
            }
        "#]],
    );
    check(
        "enums.rs",
        expect![[r#"
        wire::enumeration! {
            pub enum Kind {
                V5xx = "5xx",
                AB = "a-b",
                AB_ = "A_B",
            }
        }
    "#]],
    );
}

#[test]
fn an_operation_named_as_its_shape_steps_aside() {
    check(
        "operations.rs",
        expect![[r#"
        use super::shapes;
        use wire::{EachOperation, Operation};

        pub struct ErrorShapeOperation;

        impl Operation for ErrorShapeOperation {
            const NAME: &'static str = "Error";
            type Input = shapes::ErrorShape;
            type Output = shapes::Tree;
        }

        pub struct Ping;

        impl Operation for Ping {
            const NAME: &'static str = "Ping";
            type Input = wire::Empty;
            type Output = wire::Empty;
        }

        /// Every operation of the model, in order.
        pub fn each_operation(visitor: &mut impl EachOperation) {
            visitor.operation::<ErrorShapeOperation>();
            visitor.operation::<Ping>();
        }
    "#]],
    );
}

#[test]
fn an_exception_has_its_own_code_status_and_members() {
    check(
        "errors.rs",
        expect![[r##"
            #[allow(unused_imports)]
            use super::{enums::*, shapes::*};

            #[derive(Clone, Debug, PartialEq)]
            pub enum Error {
                GoneFault { message: String, kind: Option<Kind> },
            }

            impl Error {
                pub fn gone_fault(message: impl Into<String>, kind: Option<Kind>) -> Error {
                    Error::GoneFault { message: message.into(), kind }
                }

                /// The exception's name on the wire.
                pub fn code(&self) -> &'static str {
                    match self {
                        Error::GoneFault { .. } => "Gone",
                    }
                }

                pub fn message(&self) -> &str {
                    match self {
                        Error::GoneFault { message, .. } => message,
                    }
                }

                pub fn status(&self) -> u16 {
                    match self {
                        Error::GoneFault { .. } => 404,
                    }
                }

                pub fn fault(&self) -> wire::Fault {
                    wire::Fault::Sender
                }
            }

            impl From<Error> for wire::Error {
                fn from(error: Error) -> wire::Error {
                    let (status, fault) = (error.status(), error.fault());
                    let rendered = wire::Error { status, fault, ..wire::Error::sender(error.code(), error.message()) };
                    match error {
                        Error::GoneFault { kind, .. } => rendered.with_member("kind", kind),
                    }
                }
            }

            impl std::fmt::Display for Error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "{}: {}", self.code(), self.message())
                }
            }

            impl std::error::Error for Error {}
        "##]],
    );
}

#[test]
fn protocol_traits_are_carried_into_the_tables() {
    check(
        "model.rs",
        expect![[r#"
        use wire::Protocol;
        use wire::model::{Kind, Member, Model, OperationModel, Paginator, Pattern, ProtocolTraits, Shape};

        pub static MODEL: Model = Model {
            service_id: "Odd Shop",
            api_version: "2010-01-01",
            endpoint_prefix: "odd",
            signing_name: "odd",
            target_prefix: None,
            protocol: Protocol::Query,
            xml_namespace: Some("https://odd.example/doc/"),
            constraint_error: "ValidationError",
            operations: OPERATIONS,
        };

        static OPERATIONS: &[OperationModel] = &[
            OperationModel {
                name: "Error",
                method: "GET",
                uri: "/{Key+}?x=1",
                input: Some(&ERROR),
                output: Some(&TREE),
                result_wrapper: Some("ErrorResult"),
                errors: &["GoneFault"],
                paginator: Some(Paginator {
                    input_tokens: &["A", "B"],
                    output_tokens: &["C", "D"],
                    limit_key: None,
                    result_keys: &["Names"],
                }),
            },
            OperationModel {
                name: "Ping",
                method: "POST",
                uri: "/",
                input: None,
                output: None,
                result_wrapper: None,
                errors: &[],
                paginator: None,
            },
        ];

        static ANY: Shape = Shape::new("Any", Kind::Document);

        static AT: Shape = Shape {
            traits: Some(&ProtocolTraits { timestamp_format: Some("iso8601"), ..ProtocolTraits::NONE }),
            ..Shape::new("At", Kind::Timestamp)
        };

        static BYTES: Shape =
            Shape { traits: Some(&ProtocolTraits { streaming: true, ..ProtocolTraits::NONE }), ..Shape::new("Bytes", Kind::Blob) };

        static ERROR: Shape = Shape {
            traits: Some(&ProtocolTraits { payload: Some("Body"), ..ProtocolTraits::NONE }),
            ..Shape::new(
                "Error",
                Kind::Structure(&[
                    Member::required("Key", &TEXT).with(&ProtocolTraits {
                        location: Some("uri"),
                        location_name: Some("Key"),
                        ..ProtocolTraits::NONE
                    }),
                    Member::optional("Body", &BYTES).with(&ProtocolTraits { streaming: true, ..ProtocolTraits::NONE }),
                    Member::optional("Names", &NAMES).with(&ProtocolTraits {
                        query_name: Some("N"),
                        xml_namespace: Some("https://n/"),
                        ..ProtocolTraits::NONE
                    }),
                    Member::optional("self", &TEXT).with(&ProtocolTraits { xml_attribute: true, ..ProtocolTraits::NONE }),
                    Member::optional("Any", &ANY),
                ]),
            )
        };

        static NAMES: Shape = Shape {
            max: Some(3.0),
            traits: Some(&ProtocolTraits { flattened: true, ..ProtocolTraits::NONE }),
            ..Shape::new(
                "Names",
                Kind::List(Member::item(&TEXT).with(&ProtocolTraits { location_name: Some("Name"), ..ProtocolTraits::NONE })),
            )
        };

        static TEXT_PATTERN: Pattern = Pattern::new("[\"\\w]+");
        static TEXT: Shape = Shape { pattern: Some(&TEXT_PATTERN), ..Shape::new("Text", Kind::String) };

        static TREE: Shape = Shape::new(
            "Tree",
            Kind::Structure(&[
                Member::optional("left", &TREE),
                Member::optional("all", &TREES),
                Member::optional("byName", &TREE_MAP),
                Member::optional("at", &AT),
            ]),
        );

        static TREE_MAP: Shape = Shape {
            traits: Some(&ProtocolTraits { sparse: true, ..ProtocolTraits::NONE }),
            ..Shape::new("TreeMap", Kind::Map(Member::item(&TEXT), Member::item(&TREE)))
        };

        static TREES: Shape = Shape::new("Trees", Kind::List(Member::item(&TREE)));
    "#]],
    );
}
