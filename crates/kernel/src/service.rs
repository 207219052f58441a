//! A service as a value: its table of operations, its reconcilers, its tables, and what it tells nodes. The table row is
//! the registration: routing, decoding, encoding and the answer for what is not built follow from it and the model.

use crate::reconcile::{Erased, Of};
use crate::{Call, Reconciler, Workloads};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt, once};
use serde::Serialize;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use store::{Change, Image, Record, Tables, Tx};
use wire::model::OperationModel;
use wire::{Model, Operation, eventstream};

/// Encodes an answer outside the writer.
pub type Encode = Box<dyn FnOnce() -> Result<Bytes, wire::Error> + Send>;

/// What running a request led to.
pub type Answer = Result<Encode, wire::Error>;
pub type WriteRun = Box<dyn FnOnce(&mut Call, &mut Tx) -> Answer + Send>;
pub type ReadRun = Box<dyn FnOnce(&mut Call, &Image) -> Answer + Send>;
/// An answer that lasts: its bytes as they come, for as long as the caller listens.
pub type EventStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;
/// The image that was published last, whenever it is asked for.
pub type Newest = Arc<dyn Fn() -> Arc<Image> + Send + Sync>;
pub type StreamRun = Box<dyn FnOnce(Call, Newest) -> Result<EventStream, wire::Error> + Send>;
pub type DataRun = Box<dyn FnOnce(Call, Arc<Image>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send>;
/// A decoded request, ready to run where it belongs.
pub enum Prepared {
    /// On the writer, durable before it is answered.
    Write(WriteRun),
    /// Anywhere, on the newest published image.
    Read(ReadRun),
    /// Over data that is no rows, with the newest published image beside it.
    Data(DataRun),
    /// Events as they happen.
    Stream(StreamRun),
}

type Prepare = Box<dyn Fn(&'static Model, &[u8]) -> Result<Prepared, wire::Error> + Send + Sync>;

pub struct Service {
    pub model: &'static Model,
    pub(crate) operations: BTreeMap<&'static str, Prepare>,
    pub(crate) reconcilers: Vec<Arc<dyn Erased>>,
    pub(crate) tables: Tables,
    pub(crate) takes: BTreeMap<&'static str, Take>,
    pub(crate) workloads: Option<Workloads>,
}

impl Service {
    pub fn new(model: &'static Model) -> Service {
        let (operations, reconcilers, takes) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Service { model, operations, reconcilers, tables: Tables::default(), takes, workloads: None }
    }

    /// An operation that may change rows.
    pub fn on<Op, E>(
        mut self,
        handler: impl Fn(&mut Call, &mut Tx, Op::Input) -> Result<Op::Output, E> + Clone + Send + Sync + 'static,
    ) -> Service
    where
        Op: Operation + 'static,
        Op::Output: 'static,
        Op::Input: 'static,
        E: Into<wire::Error> + 'static,
    {
        let prepare: Prepare = Box::new(move |model, body| {
            let (input, handler) = (wire::decode::<Op>(model, body)?, handler.clone());
            Ok(Prepared::Write(Box::new(move |call, tx| {
                let output = handler(call, tx, input).map_err(Into::into)?;
                Ok(Box::new(move || wire::encode(model, &output)))
            })))
        });
        self.operations.insert(Op::NAME, prepare);
        self
    }

    /// An operation that only looks.
    pub fn read<Op, E>(
        mut self,
        handler: impl Fn(&mut Call, &Image, Op::Input) -> Result<Op::Output, E> + Clone + Send + Sync + 'static,
    ) -> Service
    where
        Op: Operation + 'static,
        Op::Output: 'static,
        Op::Input: 'static,
        E: Into<wire::Error> + 'static,
    {
        let prepare: Prepare = Box::new(move |model, body| {
            let (input, handler) = (wire::decode::<Op>(model, body)?, handler.clone());
            Ok(Prepared::Read(Box::new(move |call, image| {
                let output = handler(call, image, input).map_err(Into::into)?;
                Ok(Box::new(move || wire::encode(model, &output)))
            })))
        });
        self.operations.insert(Op::NAME, prepare);
        self
    }

    /// An operation over data that is no rows (events, objects): what it needs of them is in `handler`. It changes no rows.
    pub fn data<Op, E, F, Outcome>(mut self, handler: F) -> Service
    where
        Op: Operation + 'static,
        Op::Output: 'static,
        Op::Input: 'static,
        E: Into<wire::Error> + 'static,
        F: Fn(Call, Arc<Image>, Op::Input) -> Outcome + Clone + Send + Sync + 'static,
        Outcome: Future<Output = Result<Op::Output, E>> + Send + 'static,
    {
        let prepare: Prepare = Box::new(move |model, body| {
            let (input, handler) = (wire::decode::<Op>(model, body)?, handler.clone());
            Ok(Prepared::Data(Box::new(move |call, image| {
                let answer = handler(call, image, input);
                Box::pin(async move {
                    let output = answer.await.map_err(Into::into)?;
                    Ok(Box::new(move || wire::encode(model, &output)) as Encode)
                })
            })))
        });
        self.operations.insert(Op::NAME, prepare);
        self
    }

    /// An operation that answers with events as they happen, each a union of the model.
    pub fn stream<Op, E, F, Events>(mut self, handler: F) -> Service
    where
        Op: Operation + 'static,
        Op::Input: 'static,
        E: Into<wire::Error> + 'static,
        F: Fn(Call, Newest, Op::Input) -> Result<Events, E> + Clone + Send + Sync + 'static,
        Events: Stream<Item: Serialize> + Send + 'static,
    {
        let prepare: Prepare = Box::new(move |model, body| {
            let (input, handler) = (wire::decode::<Op>(model, body)?, handler.clone());
            Ok(Prepared::Stream(Box::new(move |call, newest| {
                let events = handler(call, newest, input).map_err(Into::into)?;
                // What cannot be encoded ends the answer: its caller asks again.
                let events = events.map(|event| eventstream::event(&event).ok()).take_while(|event| ready(event.is_some()));
                let first = once(ready(eventstream::initial_response()));
                Ok(Box::pin(first.chain(events.filter_map(ready))) as EventStream)
            })))
        });
        self.operations.insert(Op::NAME, prepare);
        self
    }

    pub fn reconcile<R: Reconciler>(mut self) -> Service {
        self.reconcilers.push(Arc::new(Of::<R>(PhantomData)));
        self
    }

    /// In the place of the reconciler of the same name: how the simulator watches what is decided.
    pub fn reconcile_instead<R: Reconciler>(mut self) -> Service {
        let place = self.reconcilers.iter_mut().find(|reconciler| reconciler.name() == R::NAME);
        *place.expect("there is one to take the place of") = Arc::new(Of::<R>(PhantomData));
        self
    }

    pub fn table<R: Record>(mut self) -> Service {
        self.tables.add::<R>();
        self.takes.insert(R::TABLE, take::<R>);
        self
    }

    pub fn workloads(mut self, workloads: Workloads) -> Service {
        self.workloads = Some(workloads);
        self
    }

    /// Names of the operations that are built; the coverage page and its test compare them with the model.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        self.operations.keys().copied()
    }

    /// Decodes and validates; what the model has and the table has not is answered as AWS answers an operation that an
    /// account or region lacks.
    pub fn prepare(&self, operation: &str, body: &[u8]) -> Result<Prepared, wire::Error> {
        if let Some(prepare) = self.operations.get(operation) {
            return prepare(self.model, body);
        }
        Err(match self.model.operation(operation) {
            Some(modelled) => not_built(modelled),
            None => wire::Error::unknown_operation(operation),
        })
    }
}

type Take = fn(&mut Tx, &Image, &str);

fn take<R: Record>(tx: &mut Tx, from: &Image, key: &str) {
    match from.get::<R>(key) {
        Some(row) => tx.put(row.clone()),
        None => _ = tx.delete::<R>(key),
    }
}

/// Clients know what to do with an error that their model has; a bare 501 they would retry.
fn not_built(operation: &OperationModel) -> wire::Error {
    let message = format!("{} is not supported by this server yet.", operation.name);
    let fitting = ["UnsupportedFeatureException", "UnsupportedOperationException", "ClientException"];
    let code = fitting.into_iter().find(|code| operation.errors.contains(code));
    wire::Error::sender(code.unwrap_or("UnsupportedOperationException"), message)
}

/// Every service of this binary, by signing name.
pub struct Services(Vec<Service>);

impl Services {
    pub fn new(services: Vec<Service>) -> Services {
        Services(services)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.0.iter()
    }

    pub fn models(&self) -> Vec<&'static Model> {
        self.0.iter().map(|service| service.model).collect()
    }

    pub fn of(&self, model: &Model) -> Option<&Service> {
        self.0.iter().find(|service| service.model.service_id == model.service_id)
    }

    pub fn tables(&self) -> Tables {
        let mut all = Tables::default();
        self.0.iter().for_each(|service| all.merge(service.tables.clone()));
        all
    }

    /// Makes a row what it is in another image. The simulator reads with it, of a disk that it knows, what is new there.
    pub fn take(&self, tx: &mut Tx, from: &Image, row: &Change) {
        let take = self.0.iter().find_map(|service| service.takes.get(row.table));
        take.expect("rows are of tables that there are")(tx, from, row.key.as_str());
    }

    pub(crate) fn reconcilers(&self) -> Vec<Arc<dyn Erased>> {
        self.0.iter().flat_map(|service| service.reconcilers.iter().cloned()).collect()
    }

    /// One service of a binary runs containers.
    pub fn workloads(&self) -> Option<Workloads> {
        self.0.iter().find_map(|service| service.workloads)
    }
}
