// grpc.testing.TestService on volo-grpc: server PORT plain|tls

use pb::*;
use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
use std::time::Duration;
use tokio_stream::StreamExt;
use volo_grpc::server::{Server, ServiceBuilder};
use volo_grpc::{BoxStream, Code, RecvStream, Request, Response, Status};

mod pb {
    include!(concat!(env!("OUT_DIR"), "/volo_gen.rs"));
    pub use volo_gen::grpc::testing::*;
}

const INITIAL: &str = "x-grpc-test-echo-initial";

type Outputs = BoxStream<'static, Result<StreamingOutputCallResponse, Status>>;

fn zeros(size: i32) -> Option<Payload> {
    Some(Payload { body: vec![0; size.max(0) as usize].into(), ..Default::default() })
}

fn check(status: &Option<EchoStatus>, kind: PayloadType) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(Code::from_i32(status.code), status.message.to_string())),
        _ if kind != PayloadType::COMPRESSABLE => Err(Status::invalid_argument("there is no payload of that type")),
        _ => Ok(()),
    }
}

fn replies(wanted: Vec<ResponseParameters>) -> impl tokio_stream::Stream<Item = StreamingOutputCallResponse> + Send {
    async_stream::stream! {
        for parameters in wanted {
            tokio::time::sleep(Duration::from_micros(parameters.interval_us.max(0) as u64)).await;
            yield StreamingOutputCallResponse { payload: zeros(parameters.size), ..Default::default() };
        }
    }
}

// With the header that the request came with.
fn reply<Q, P>(request: &Request<Q>, message: P) -> Response<P> {
    let mut reply = Response::new(message);
    if let Some(value) = request.metadata().get(INITIAL) {
        reply.metadata_mut().insert(INITIAL, value.clone());
    }
    reply
}

struct Service;

impl TestService for Service {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(reply(&request, Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let asked = request.get_ref();
        check(&asked.response_status, asked.response_type)?;
        let mut made = SimpleResponse { payload: zeros(asked.response_size), ..Default::default() };
        if asked.fill_server_id {
            made.server_id = format!("pid {}", std::process::id()).into();
        }
        Ok(reply(&request, made))
    }

    async fn cacheable_unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.unary_call(request).await
    }

    async fn streaming_output_call(&self, request: Request<StreamingOutputCallRequest>) -> Result<Response<Outputs>, Status> {
        let asked = request.get_ref();
        check(&asked.response_status, asked.response_type)?;
        let outputs: Outputs = Box::pin(replies(asked.response_parameters.clone()).map(Ok));
        Ok(reply(&request, outputs))
    }

    async fn streaming_input_call(
        &self,
        request: Request<RecvStream<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = request.into_inner();
        let mut size = 0;
        while let Some(request) = requests.next().await {
            size += request?.payload.map_or(0, |payload| payload.body.len());
        }
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size: size as i32, ..Default::default() }))
    }

    async fn full_duplex_call(&self, request: Request<RecvStream<StreamingOutputCallRequest>>) -> Result<Response<Outputs>, Status> {
        let made = reply(&request, ());
        let mut requests = request.into_inner();
        let outputs: Outputs = Box::pin(async_stream::try_stream! {
            while let Some(request) = requests.next().await {
                let request = request?;
                check(&request.response_status, request.response_type)?;
                let mut replies = std::pin::pin!(replies(request.response_parameters));
                while let Some(reply) = replies.next().await {
                    yield reply;
                }
            }
        });
        Ok(made.map(|()| outputs))
    }

    async fn half_duplex_call(&self, request: Request<RecvStream<StreamingOutputCallRequest>>) -> Result<Response<Outputs>, Status> {
        let mut requests = request.into_inner();
        let mut wanted = Vec::new();
        while let Some(request) = requests.next().await {
            let request = request?;
            check(&request.response_status, request.response_type)?;
            wanted.extend(request.response_parameters);
        }
        Ok(Response::new(Box::pin(replies(wanted).map(Ok))))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("nobody implements this"))
    }
}

// volo's own configuration offers no ALPN.
fn tls() -> Result<volo::net::tls::ServerTlsConfig, Box<dyn std::error::Error>> {
    let folder = std::env::var("INTEROP_TLS")?;
    let chain = CertificateDer::pem_file_iter(format!("{folder}/server.pem"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key"))?;
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(volo::net::tls::ServerTlsConfig { acceptor: config.into() })
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let address: std::net::SocketAddr = format!("127.0.0.1:{}", arguments[1]).parse().expect("a port");
    let mut server = Server::new();
    if arguments[2] == "tls" {
        server = server.tls_config(tls().expect("the certificate"));
    }
    let service = ServiceBuilder::new(TestServiceServer::new(Service)).build();
    server.http2_max_header_list_size(256u32 << 10).add_service(service).run(volo::net::Address::from(address)).await.expect("served");
}
