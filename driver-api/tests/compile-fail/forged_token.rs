//! A token made by hand.

use driver_api::abi::lock::{Call, HostObj, LockV1};
use driver_api::lock::level::Update;
use driver_api::lock::token::Cx;

fn forge(table: &'static LockV1, obj: HostObj, call: Call) -> Cx<'static, Update> {
    Cx::from_call(table, obj, call)
}

fn copy<'a>(cx: &Cx<'a, Update>) -> Cx<'a, Update> {
    Cx { ..*cx }
}

fn main() {}
