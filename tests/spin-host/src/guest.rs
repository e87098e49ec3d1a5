//! What a guest finds, and how long it lives: as Spin has it, it answers 16 requests at once, 128 in all, and goes when it
//! has rested for a second.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::{
    Accessor, Component, Destination, FutureReader, HasData, InstancePre, Linker, Resource, ResourceTable,
    StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::spin::postgres::postgres as pg;
use crate::bindings::spin::variables::variables;
use crate::outward::Outward;
use crate::postgres::{Lent, Pools};

/// Requests that one guest answers at once, and in all.
const AT_ONCE: usize = 16;
const IN_ALL: usize = 128;
/// How long a guest rests before it goes.
const REST: Duration = Duration::from_secs(1);

/// What all guests of a component share.
pub struct Shared {
    pub variables: BTreeMap<String, String>,
    pub environment: Vec<(String, String)>,
    pub allowed: Vec<String>,
    pub pools: Pools,
}

/// What one guest has.
pub struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outward: Outward,
    shared: Arc<Shared>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outward }
    }
}

/// A component, compiled and linked.
pub struct Guests {
    pre: InstancePre<State>,
    shared: Arc<Shared>,
}

impl Guests {
    /// Compiles and links.
    ///
    /// # Errors
    /// When the file is no component, or asks for what this host has not.
    pub fn new(engine: &Engine, file: &std::path::Path, shared: Shared) -> wasmtime::Result<Self> {
        let component = Component::from_file(engine, file)?;
        let mut linker = Linker::<State>::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        crate::bindings::Spin::add_to_linker::<_, OfSpin>(&mut linker, |state| state)?;
        Ok(Self { pre: linker.instantiate_pre(&component)?, shared: Arc::new(shared) })
    }
}

impl HandlerState for Guests {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut wasi = WasiCtx::builder();
        // What it logs goes nowhere: Spin would keep it in a file.
        wasi.inherit_stderr().envs(&self.shared.environment);
        let state = State {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outward: Outward(self.shared.clone()),
            shared: self.shared.clone(),
        };
        let mut store = Store::new(self.pre.engine(), state);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let proxy = Proxy::P3(Service::new(&mut store, &instance)?);
        let expiration = Expiration(Box::pin(tokio::time::sleep(REST)));
        Ok(Instance { store, proxy, view: State::http, expiration, state: Worker })
    }
}

/// When a guest goes.
pub struct Expiration(Pin<Box<tokio::time::Sleep>>);

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let end = (start + REST).into();
        if end != self.0.deadline() {
            self.0.as_mut().reset(end);
        }
        self.0.as_mut().poll(cx)
    }
}

/// How much a guest takes on.
pub struct Worker;

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, now: usize, so_far: usize) -> ShouldAccept {
        match (now, so_far) {
            (_, IN_ALL..) => ShouldAccept::Never,
            (AT_ONCE.., _) => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self, _: StoreContextMut<'_, State>, (): (), _: wasmtime::component::GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            eprintln!("a guest ended: {error:#}");
        }
        drop(store);
    }
}

/// Whose the interfaces of Spin are.
struct OfSpin;

impl HasData for OfSpin {
    type Data<'a> = &'a mut State;
}

impl variables::Host for State {}

impl<T: Send> variables::HostWithStore<T> for OfSpin {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        Ok(accessor.with(|mut access| {
            let value = access.get().shared.variables.get(&name).cloned();
            value.ok_or(variables::Error::Undefined(name))
        }))
    }
}

/// What the SDK's asynchronous calls do not need.
const ONLY_ASYNCHRONOUS: &str = "this host has the asynchronous calls only";

impl pg::Host for State {}

impl pg::HostConnectionBuilder for State {
    async fn new(&mut self, _: String) -> wasmtime::Result<Resource<pg::ConnectionBuilder>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn set_ca_root(
        &mut self, _: Resource<pg::ConnectionBuilder>, _: String,
    ) -> wasmtime::Result<Result<(), pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn build(
        &mut self, _: Resource<pg::ConnectionBuilder>,
    ) -> wasmtime::Result<Result<Resource<Lent>, pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn drop(&mut self, _: Resource<pg::ConnectionBuilder>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl<T: Send> pg::HostConnectionBuilderWithStore<T> for OfSpin {
    async fn build_async(
        _: &Accessor<T, Self>, _: Resource<pg::ConnectionBuilder>,
    ) -> wasmtime::Result<Result<Resource<Lent>, pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
}

impl pg::HostConnection for State {
    async fn open(&mut self, _: String) -> wasmtime::Result<Result<Resource<Lent>, pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn query(
        &mut self, _: Resource<Lent>, _: String, _: Vec<pg::ParameterValue>,
    ) -> wasmtime::Result<Result<pg::RowSet, pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn execute(
        &mut self, _: Resource<Lent>, _: String, _: Vec<pg::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, pg::Error>> {
        Err(wasmtime::Error::msg(ONLY_ASYNCHRONOUS))
    }
    async fn drop(&mut self, connection: Resource<Lent>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> pg::HostConnectionWithStore<T> for OfSpin {
    async fn open_async(
        accessor: &Accessor<T, Self>, address: String,
    ) -> wasmtime::Result<Result<Resource<Lent>, pg::Error>> {
        let shared = accessor.with(|mut access| access.get().shared.clone());
        match shared.pools.lend(&address, &shared.allowed).await {
            Ok(client) => accessor.with(|mut access| Ok(Ok(access.get().table.push(Arc::new(client))?))),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn query_async(
        accessor: &Accessor<T, Self>, connection: Resource<Lent>, statement: String,
        parameters: Vec<pg::ParameterValue>,
    ) -> wasmtime::Result<
        Result<(Vec<pg::Column>, StreamReader<Vec<pg::DbValue>>, FutureReader<Result<(), pg::Error>>), pg::Error>,
    > {
        let client = accessor.with(|mut access| access.get().table.get(&connection).cloned())?;
        let answer = match client.query(&statement, parameters).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Rows(answer.rows))?;
            let end = FutureReader::new(&mut access, async move { answer.end.await.map_err(wasmtime::Error::from) })?;
            Ok(Ok((answer.columns, rows, end)))
        })
    }

    async fn execute_async(
        _: &Accessor<T, Self>, _: Resource<Lent>, _: String, _: Vec<pg::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, pg::Error>> {
        Err(wasmtime::Error::msg("no statement of ours goes without an answer"))
    }
}

/// Rows as a stream of the component model.
struct Rows(tokio::sync::mpsc::Receiver<Vec<pg::DbValue>>);

impl<D> StreamProducer<D> for Rows {
    type Item = Vec<pg::DbValue>;
    type Buffer = Option<Self::Item>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>, cx: &mut Context<'_>, store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>, finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.get_mut().0.poll_recv(cx) {
            Poll::Ready(Some(row)) => {
                destination.set_buffer(Some(row));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
