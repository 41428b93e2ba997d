//! Security labels, which clients ask for before they show anything.

use super::domain::DomainRef;
use super::procedures;
use crate::rpc::xdr::{List, xdr_struct};

/// A text that readers in C find the end of by its NUL; four bytes a character.
pub type Label<const MAX: usize> = List<u8, MAX>;

xdr_struct! {
    /// The result of [`DomainGetSecurityLabel`].
    SecurityLabel {
        label: Label<4097>,
        enforcing: i32,
    }

    /// The result of [`DomainGetSecurityLabelList`].
    SecurityLabels {
        labels: List<SecurityLabel, 64>,
        count: i32,
    }

    /// The result of [`NodeGetSecurityModel`].
    SecurityModel {
        model: Label<257>,
        doi: Label<257>,
    }
}

procedures! {
    121 DomainGetSecurityLabel { dom: DomainRef } -> SecurityLabel;
    122 NodeGetSecurityModel {} -> SecurityModel;
    278 DomainGetSecurityLabelList { dom: DomainRef } -> SecurityLabels;
}
