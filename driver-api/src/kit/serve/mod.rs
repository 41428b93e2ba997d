//! The driver's end of its tables: C functions made from the safe traits, one shield around each.

pub mod console;
pub mod core;
pub mod device;
pub mod inspect;
pub mod instance;
pub mod metadata;
pub mod nwfilter;
pub mod virt;

/// Makes the functions of a table: `driver` is the author's object, `cx` the token made from the call.
macro_rules! serve {
    ($bound:path; $(
        fn $name:ident($driver:ident $(, $cx:ident: Cx<$level:ty>)? $(; $($arg:ident: $ty:ty),+)?) -> $ret:ty $body:block
    )+) => {$(
        extern "C" fn $name<T: $bound>(obj: Obj $(, $cx: Call)? $($(, $arg: $ty)+)?) -> RResult<$ret, Fault> {
            Instance::<T>::enter(obj, stringify!($name), move |instance| {
                let $driver = &instance.driver;
                $(let $cx = &mut instance.token::<$level>($cx)?;)?
                $body
            })
        }
    )+};
}
pub(crate) use serve;
