//! What a sender of OTLP is answered, in the form in which it asked.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use serde_json::json;

use super::Form;
use crate::wire::error::Rejected;

/// gRPC's codes, as far as a receiver needs them (`google.rpc.Code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidArgument = 3,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// `google.rpc.Status`, which the OTLP crate does not bring.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// `ExportMetricsServiceResponse`; partial success only where points were rejected.
pub fn success(form: Form, rejected: &Rejected) -> Vec<u8> {
    let message = rejected.examples.join("; ");
    match form {
        Form::Protobuf => {
            let partial_success = (!rejected.is_empty()).then(|| ExportMetricsPartialSuccess {
                rejected_data_points: i64::try_from(rejected.parts).unwrap_or(i64::MAX),
                error_message: message,
            });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        Form::Json if rejected.is_empty() => b"{}".to_vec(),
        // 64-bit integers are text in protobuf's JSON.
        Form::Json => json!({
            "partialSuccess": {"rejectedDataPoints": rejected.parts.to_string(), "errorMessage": message}
        })
        .to_string()
        .into_bytes(),
    }
}

/// The `Status` of a refusal.
pub fn failure(form: Form, code: Code, message: &str) -> Vec<u8> {
    match form {
        Form::Protobuf => Status { code: code as i32, message: message.to_owned() }.encode_to_vec(),
        Form::Json => json!({"code": code as i32, "message": message}).to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_success_says_nothing_and_a_partial_one_how_many_and_why() {
        let none = Rejected::default();
        assert_eq!(
            (success(Form::Protobuf, &none), success(Form::Json, &none)),
            (Vec::new(), b"{}".to_vec())
        );
        let mut some = Rejected::default();
        some.note("summary", 0, || "m: summaries are not supported".to_owned());
        let read = ExportMetricsServiceResponse::decode(success(Form::Protobuf, &some).as_slice()).unwrap();
        assert_eq!(read.partial_success.unwrap().rejected_data_points, 1);
        assert_eq!(
            String::from_utf8(success(Form::Json, &some)).unwrap(),
            r#"{"partialSuccess":{"errorMessage":"m: summaries are not supported","rejectedDataPoints":"1"}}"#
        );
    }

    #[test]
    fn a_failure_is_a_status_in_the_form_asked() {
        let read = Status::decode(failure(Form::Protobuf, Code::InvalidArgument, "no").as_slice()).unwrap();
        assert_eq!((read.code, read.message.as_str()), (3, "no"));
        assert_eq!(failure(Form::Json, Code::Unavailable, "no"), br#"{"code":14,"message":"no"}"#);
    }
}
