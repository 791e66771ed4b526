//! What a destination's answer to a question about its health says of our settings.

use bessemer_net::dial::Answer;
use bessemer_pipeline::Probe;
use http::StatusCode;

pub(super) fn of_answer(answer: &Answer) -> Probe {
    let reason = format!("it answers HTTP {}", answer.status);
    let failed = |remedy| Probe::Failed { reason: reason.clone(), remedy };
    match answer.status {
        status if status.is_success() => Probe::Ready,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            failed("check the key, token or password in the settings")
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            failed("check host and path of the endpoint: another service answers there")
        }
        status if status.is_redirection() => failed("name the endpoint that it points to"),
        _ => Probe::Busy { reason },
    }
}
