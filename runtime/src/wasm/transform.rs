//! A body on its way through a guest.
//!
//! In: an open transform of an instance, chunks. Out: chunks. Never: shares its instance: it is
//! pinned until the transform is finished or dropped, and only then serves other calls.

use std::sync::Arc;

use bytes::Bytes;

use super::fault::Fault;
use super::functions::OpenTransform;
use super::instance::Instance;
use super::member::Desk;
use crate::chain::{Failure, Transform};
use crate::telemetry::metrics::Hook;

/// One body.
pub struct GuestTransform {
    desk: Arc<Desk>,
    hook: Hook,
    /// None once it has ended, well or badly.
    open: Option<(Box<Instance>, OpenTransform)>,
    route: Arc<str>,
    request: String,
}

impl GuestTransform {
    pub fn new(
        desk: Arc<Desk>,
        hook: Hook,
        instance: Box<Instance>,
        transform: OpenTransform,
        route: Arc<str>,
        request: String,
    ) -> Self {
        GuestTransform { desk, hook, open: Some((instance, transform)), route, request }
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut Instance, &OpenTransform, &Desk) -> Result<Vec<u8>, Fault>,
    ) -> Result<Bytes, Box<Failure>> {
        let Some((instance, transform)) = &mut self.open else {
            let fault = Fault::unavailable("the body ended already");
            return Err(self.desk.report(self.hook, &self.route, &self.request, fault));
        };
        let called = self.desk.metrics().called(self.hook);
        let result = call(instance, transform, &self.desk);
        self.desk.metrics().returned(self.hook, called);
        match result {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            Err(fault) => {
                self.end();
                Err(self.desk.report(self.hook, &self.route, &self.request, fault))
            }
        }
    }

    /// Drops the guest's side and gives the instance back.
    fn end(&mut self) {
        if let Some((mut instance, transform)) = self.open.take() {
            instance.close_transform(&self.desk.pulse, transform);
            self.desk.give_back(instance);
        }
    }
}

impl Transform for GuestTransform {
    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Box<Failure>> {
        self.call(|instance, transform, desk| instance.push(&desk.pulse, transform, &chunk))
    }

    fn finish(&mut self) -> Result<Bytes, Box<Failure>> {
        let rest =
            self.call(|instance, transform, desk| instance.finish(&desk.pulse, transform))?;
        self.desk.succeeded();
        self.end();
        Ok(rest)
    }
}

impl Drop for GuestTransform {
    fn drop(&mut self) {
        self.end();
    }
}
