//! What a transaction of a call can fail with.

use mandorla_control::ApiError;
use mandorla_store::StoreError;

use crate::node::storage;

/// An error for the caller, which the store's transactions can carry, too.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) ApiError);

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(storage(error))
    }
}

impl From<Failed> for ApiError {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}
