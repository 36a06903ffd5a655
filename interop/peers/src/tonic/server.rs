// grpc.testing.TestService on tonic: server PORT plain|tls

use http_body::Frame;
use http_body_util::BodyExt;
use pb::test_service_server::{TestService, TestServiceServer};
use pb::*;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::{wrappers::ReceiverStream, Stream, StreamExt};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::{self, http};
use tonic::server::NamedService;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};

mod pb {
    tonic::include_proto!("grpc.testing");
}

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
const MESSAGE_MAX: usize = (16 << 20) + 1024;
const METADATA_MAX: u32 = 256 << 10;

type Replies = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;
type Sender = mpsc::Sender<Result<StreamingOutputCallResponse, Status>>;

fn zeros(size: i32) -> Option<Payload> {
    let body = vec![0; size.max(0) as usize];
    Some(Payload { r#type: 0, body })
}

fn check(kind: i32, status: &Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(Code::from(status.code), &status.message)),
        _ if kind != 0 => Err(Status::invalid_argument(format!("there is no payload of type {kind}"))),
        _ => Ok(()),
    }
}

// False when nobody listens any more.
async fn send_replies(to: &Sender, wanted: &[ResponseParameters]) -> bool {
    for reply in wanted {
        tokio::time::sleep(Duration::from_micros(reply.interval_us.max(0) as u64)).await;
        let payload = zeros(reply.size);
        if to.send(Ok(StreamingOutputCallResponse { payload, ..Default::default() })).await.is_err() {
            return false;
        }
    }
    true
}

// Answers each request at once, or all of them at the end.
fn answer(mut requests: Streaming<StreamingOutputCallRequest>, at_once: bool) -> Response<Replies> {
    let (to, replies) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let request = match requests.message().await {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(_) => return,
            };
            if let Err(status) = check(request.response_type, &request.response_status) {
                let _ = to.send(Err(status)).await;
                return;
            }
            if !at_once {
                kept.extend(request.response_parameters);
            } else if !send_replies(&to, &request.response_parameters).await {
                return;
            }
        }
        send_replies(&to, &kept).await;
    });
    Response::new(Box::pin(ReceiverStream::new(replies)))
}

struct Service;

#[tonic::async_trait]
impl TestService for Service {
    type StreamingOutputCallStream = Replies;
    type FullDuplexCallStream = Replies;
    type HalfDuplexCallStream = Replies;

    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let request = request.into_inner();
        check(request.response_type, &request.response_status)?;
        let mut reply = Response::new(SimpleResponse { payload: zeros(request.response_size), ..Default::default() });
        if !request.response_compressed.is_some_and(|asked| asked.value) {
            reply.disable_compression();
        }
        Ok(reply)
    }

    async fn cacheable_unary_call(&self, _: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        Err(Status::unimplemented("nothing is cached here"))
    }

    async fn streaming_input_call(
        &self,
        requests: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = requests.into_inner();
        let mut size = 0;
        while let Some(request) = requests.next().await {
            size += request?.payload.map_or(0, |payload| payload.body.len());
        }
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size: size as i32 }))
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        check(request.response_type, &request.response_status)?;
        let (to, replies) = mpsc::channel(1);
        tokio::spawn(async move { send_replies(&to, &request.response_parameters).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn full_duplex_call(
        &self,
        requests: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Ok(answer(requests.into_inner(), true))
    }

    async fn half_duplex_call(
        &self,
        requests: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Ok(answer(requests.into_inner(), false))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented(""))
    }
}

// Handlers of tonic have no trailers beside OK: they are put behind the body.
#[derive(Clone)]
struct Echo(TestServiceServer<Service>);

impl NamedService for Echo {
    const NAME: &'static str = <TestServiceServer<Service> as NamedService>::NAME;
}

impl codegen::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = codegen::BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut codegen::Context<'_>) -> codegen::Poll<Result<(), Self::Error>> {
        codegen::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let initial = request.headers().get(INITIAL).cloned();
        let trailing = request.headers().get(TRAILING).cloned();
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            if let Some(value) = initial {
                response.headers_mut().insert(INITIAL, value);
            }
            let Some(value) = trailing else { return Ok(response) };
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| match frame.into_trailers() {
                    Ok(mut trailers) => {
                        trailers.insert(TRAILING, value.clone());
                        Frame::trailers(trailers)
                    }
                    Err(frame) => frame,
                }))
            }))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let address = format!("127.0.0.1:{}", arguments[1]).parse()?;
    let mut server = Server::builder().http2_max_header_list_size(METADATA_MAX);
    if arguments[2] == "tls" {
        let read = |name: &str| std::fs::read(format!("{}/{name}", std::env::var("INTEROP_TLS").unwrap()));
        let identity = Identity::from_pem(read("server.pem")?, read("server.key")?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let service = TestServiceServer::new(Service)
        .max_decoding_message_size(MESSAGE_MAX)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    server.add_service(Echo(service)).serve(address).await?;
    Ok(())
}
