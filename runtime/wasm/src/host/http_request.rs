//! `weir:plugin/http`, resource `request`.
//!
//! In: calls on the handle of the request under way. Out: facts of the exchange, or changes to its
//! request's head, body and attributes. Never: changes a request that was sent.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceType, WasmList, WasmStr};
use weir_core::chain::{Exchange, HeadLimits, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};
use weir_core::error::Error;
use weir_core::http::Body;

use super::{Context, Interface, body, bounds, fields};
use crate::bindings::{Client, HeaderError, RequestHandle, Tls};
use crate::state::{Part, Phase};

type Request = Resource<RequestHandle>;
type Change = Result<(Result<(), HeaderError>,)>;

const ATTRIBUTE_KEY: &str = "the key of an attribute";
const ATTRIBUTE: &str = "an attribute";

pub(super) fn link(http: &mut Interface<'_>) -> Result<()> {
    http.resource("request", ResourceType::host::<RequestHandle>(), |_, _| Ok(()))?;
    line(http)?;
    head(http)?;
    facts(http)?;
    http.func_wrap_async("[method]request.read-body", |store, (this, limit): (Request, u64)| {
        Box::new(body::read_request(store, this, limit))
    })?;
    http.func_wrap("[method]request.set-body", set_body)?;
    http.func_wrap("[method]request.limit-body", limit_body)
}

/// Request line: method, target, authority.
fn line(http: &mut Interface<'_>) -> Result<()> {
    http.func_wrap("[method]request.method", |store: Context, (this,): (Request,)| {
        Ok((store.data().request(&this)?.request.method.as_str().to_owned(),))
    })?;
    http.func_wrap(
        "[method]request.set-method",
        |mut store: Context, (this, method): (Request, WasmStr)| {
            let limits = store.data().request(&this)?.head_limits;
            let method = fields::text(&store, &method, limits, legal_method)?;
            change(&mut store, &this, |exchange, _| {
                exchange.request.method = method?;
                Ok(())
            })
        },
    )?;
    http.func_wrap("[method]request.scheme", |store: Context, (this,): (Request,)| {
        let https = store.data().request(&this)?.client.https;
        Ok((if https { "https" } else { "http" },))
    })?;
    http.func_wrap("[method]request.authority", |store: Context, (this,): (Request,)| {
        let host = store.data().request(&this)?.request.headers.get(HOST);
        Ok((host.map_or_else(String::new, |host| {
            String::from_utf8_lossy(host.as_bytes()).into_owned()
        }),))
    })?;
    http.func_wrap(
        "[method]request.set-authority",
        |mut store: Context, (this, authority): (Request, WasmStr)| {
            let limits = store.data().request(&this)?.head_limits;
            let value = fields::text(&store, &authority, limits, legal_authority)?;
            change(&mut store, &this, |exchange, bytes| {
                exchange.request.headers.insert(HOST, value?);
                *bytes = None;
                Ok(())
            })
        },
    )?;
    http.func_wrap("[method]request.path-with-query", |store: Context, (this,): (Request,)| {
        let uri = &store.data().request(&this)?.request.uri;
        Ok((uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),))
    })?;
    http.func_wrap(
        "[method]request.set-path-with-query",
        |mut store: Context, (this, target): (Request, WasmStr)| {
            let limits = store.data().request(&this)?.head_limits;
            let method = store.data().request(&this)?.request.method.clone();
            let legal = |target: &str| legal_target(target, &method);
            let uri = fields::text(&store, &target, limits, legal)?;
            change(&mut store, &this, |exchange, _| {
                let uri = uri?;
                let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
                let bytes = length + fields::head_bytes(&exchange.request.headers);
                fields::within(exchange.request_limits(), 0, bytes)?;
                exchange.request.uri = uri;
                Ok(())
            })
        },
    )
}

/// Fields.
fn head(http: &mut Interface<'_>) -> Result<()> {
    http.func_wrap(
        "[method]request.header",
        |store: Context, (this, name): (Request, WasmStr)| {
            let exchange = store.data().request(&this)?;
            let name = bounds::text(&store, &name)?;
            Ok((exchange.request_value(&name).map(|value| value.as_bytes().to_vec()),))
        },
    )?;
    http.func_wrap(
        "[method]request.header-values",
        |store: Context, (this, name): (Request, WasmStr)| {
            let exchange = store.data().request(&this)?;
            Ok((fields::values(exchange.request_values(&bounds::text(&store, &name)?)),))
        },
    )?;
    http.func_wrap("[method]request.headers", |store: Context, (this,): (Request,)| {
        Ok((fields::all(store.data().request(&this)?.request_fields()),))
    })?;
    http.func_wrap(
        "[method]request.set-header",
        |mut store: Context, (this, name, value): (Request, WasmStr, WasmList<u8>)| {
            let limits = store.data().request(&this)?.head_limits;
            let line = fields::line(&store, &name, &value, limits)?;
            change(&mut store, &this, |exchange, bytes| {
                let line = line?;
                let (headers, limits) = changeable(exchange, bytes, &line.0);
                fields::set(headers, bytes, limits, line)
            })
        },
    )?;
    http.func_wrap(
        "[method]request.append-header",
        |mut store: Context, (this, name, value): (Request, WasmStr, WasmList<u8>)| {
            let limits = store.data().request(&this)?.head_limits;
            let line = fields::line(&store, &name, &value, limits)?;
            change(&mut store, &this, |exchange, bytes| {
                let line = line?;
                let (headers, limits) = changeable(exchange, bytes, &line.0);
                fields::append(headers, bytes, limits, line)
            })
        },
    )?;
    http.func_wrap(
        "[method]request.remove-header",
        |mut store: Context, (this, name): (Request, WasmStr)| {
            let limits = store.data().request(&this)?.head_limits;
            let name = fields::text(&store, &name, limits, fields::legal_name)?;
            change(&mut store, &this, |exchange, bytes| {
                let name = name?;
                let (headers, _) = changeable(exchange, bytes, &name);
                fields::remove(headers, bytes, &name);
                Ok(())
            })
        },
    )
}

/// What is known of the exchange, and what plugins leave for each other.
fn facts(http: &mut Interface<'_>) -> Result<()> {
    http.func_wrap("[method]request.client", |store: Context, (this,): (Request,)| {
        let client = &store.data().request(&this)?.client;
        let tls = client.tls.as_ref().map(|tls| Tls {
            version: tls.version.to_owned(),
            cipher: tls.cipher.clone(),
            server_name: tls.server_name.as_deref().map(str::to_owned),
            peer_subject: None,
            peer_fingerprint: None,
        });
        Ok((Client { address: client.address.clone(), port: client.port, tls },))
    })?;
    http.func_wrap("[method]request.route", |store: Context, (this,): (Request,)| {
        Ok((store.data().request(&this)?.route.clone(),))
    })?;
    http.func_wrap(
        "[method]request.attribute",
        |store: Context, (this, key): (Request, WasmStr)| {
            let exchange = store.data().request(&this)?;
            let key = bounds::text(&store, &key)?;
            let value = match exchange.attributes.get(&key) {
                None if key == "request.id" => Some(exchange.id.to_string()),
                value => value.map(str::to_owned),
            };
            Ok((value,))
        },
    )?;
    http.func_wrap(
        "[method]request.set-attribute",
        |mut store: Context, (this, key, value): (Request, WasmStr, WasmStr)| {
            let key = bounds::short_text(&store, &key, ATTRIBUTE_KEY, MAX_ATTRIBUTE_BYTES)?;
            let value = bounds::short_text(&store, &value, ATTRIBUTE, MAX_ATTRIBUTE_BYTES)?;
            let (key, value) = (key.into_owned(), value.into_owned());
            let state = store.data_mut();
            state.request(&this)?;
            state.before_change(Part::Attributes);
            let set = state.request_mut(&this)?.attributes.set(&key, &value);
            set.map_err(|_| {
                wasmtime::Error::msg(format!(
                    "attribute `{key}` does not fit: an exchange has at most {MAX_ATTRIBUTES}, \
                     {MAX_ATTRIBUTE_BYTES} bytes in all"
                ))
            })
        },
    )
}

fn set_body(mut store: Context, (this, bytes): (Request, WasmList<u8>)) -> Result<()> {
    let state = store.data();
    state.request(&this)?;
    if state.phase != Phase::Request {
        return Err(wasmtime::Error::msg("`set-body` on a request that was sent already"));
    }
    let bytes = body::kept(&store, &bytes)?;
    let state = store.data_mut();
    state.before_change(Part::Request);
    let length = bytes.len();
    state.replace_body(Part::Request, Body::full(bytes));
    fields::set_content_length(&mut state.request_mut(&this)?.request.headers, length);
    Ok(())
}

/// The limit holds from the hook's end on: a hook that fails has set none.
fn limit_body(mut store: Context, (this, limit): (Request, u64)) -> Result<()> {
    let state = store.data_mut();
    state.request(&this)?;
    if state.phase != Phase::Request {
        return Err(wasmtime::Error::msg("`limit-body` on a request that was sent already"));
    }
    state.limit_body(limit);
    Ok(())
}

/// Changes the request's head, unless it was sent.
fn change(
    store: &mut Context,
    this: &Request,
    change: impl FnOnce(&mut Exchange, &mut Option<usize>) -> Result<(), HeaderError>,
) -> Change {
    let state = store.data_mut();
    state.request(this)?;
    if state.phase != Phase::Request {
        return Ok((Err(HeaderError::Forbidden),));
    }
    state.before_change(Part::Request);
    let mut bytes = state.request_bytes;
    let exchange = state.request_mut(this)?;
    let changed = change(exchange, &mut bytes);
    if let Err(HeaderError::SizeExceeded) = changed {
        // What a plugin adds fits beside any head that came within the limits, unless it is made of
        // what the client sent.
        let HeadLimits { fields, bytes } = exchange.head_limits;
        let why =
            format!("the request's head would have more than {fields} fields or {bytes} bytes");
        exchange.peer_error = Some(Error::request(431, why));
    }
    state.request_bytes = bytes;
    Ok((changed,))
}

/// The request's own fields, the one of `name` among them where it has it, and their limits.
fn changeable<'a>(
    exchange: &'a mut Exchange,
    bytes: &mut Option<usize>,
    name: &HeaderName,
) -> (&'a mut HeaderMap, HeadLimits) {
    if exchange.added.as_ref().is_some_and(|added| added.get(name.as_str()).is_some()) {
        exchange.settle();
        *bytes = None;
    }
    let limits = exchange.request_limits();
    (&mut exchange.request.headers, limits)
}

/// Any method but CONNECT: what follows its answer would be a tunnel, on a connection that others
/// are to use again (RFC 9110, 9.3.6).
fn legal_method(method: &str) -> Result<Method, HeaderError> {
    match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT) => Err(HeaderError::Forbidden),
        Ok(method) => Ok(method),
        Err(_) => Err(HeaderError::InvalidSyntax),
    }
}

/// Host and optional port, nothing else (RFC 9110, 7.2).
fn legal_authority(authority: &str) -> Result<HeaderValue, HeaderError> {
    if !weir_bounds::authority::is_legal(authority) {
        return Err(HeaderError::InvalidSyntax);
    }
    HeaderValue::from_str(authority).map_err(|_| HeaderError::InvalidSyntax)
}

/// Origin form, spelled as clients' are by now, or `*` for OPTIONS (RFC 9112, 3.2).
fn legal_target(target: &str, method: &Method) -> Result<Uri, HeaderError> {
    if !weir_bounds::target::is_legal(target, method.as_str()) {
        return Err(HeaderError::InvalidSyntax);
    }
    let target = PathAndQuery::try_from(target).map_err(|_| HeaderError::InvalidSyntax)?;
    Ok(Uri::from(target))
}
