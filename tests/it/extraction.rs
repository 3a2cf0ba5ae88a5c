//! extraction
