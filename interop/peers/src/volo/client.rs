// The interop client on volo-grpc: client CASE HOST PORT plain|tls. Exits with 0 when the case passed.

use pb::*;
use std::time::{Duration, Instant};
use tokio_stream::{iter, Stream, StreamExt};
use volo::net::tls::{ClientTlsConfig, TlsConnector};
use volo_grpc::{Code, Status};

mod pb {
    include!(concat!(env!("OUT_DIR"), "/volo_gen.rs"));
    pub use volo_gen::grpc::testing::*;
}

const SIZES: [i32; 4] = [31415, 9, 2653, 58979];

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;
type Client = TestServiceClient;
type Output = Result<StreamingOutputCallResponse, Status>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => { if !$condition { return Err(format!($($text)*).into()) } };
}

macro_rules! open {
    ($builder:ident, $limit:expr) => {{
        let arguments: Vec<String> = std::env::args().collect();
        let address: std::net::SocketAddr = format!("{}:{}", arguments[2], arguments[3]).parse()?;
        let mut builder = $builder::new("interop").address(address).rpc_timeout(Some($limit));
        if arguments[4] == "tls" {
            let ca = format!("{}/ca.pem", std::env::var("INTEROP_TLS")?);
            let connector = TlsConnector::builder()
                .enable_default_root_certs(false)
                .add_pem_from_file(ca)?
                .with_alpn_protocols(["h2"])
                .build()?;
            builder = builder.tls_config(ClientTlsConfig::new("foo.test.google.fr", connector));
        }
        builder.build()
    }};
}

fn open(limit: Duration) -> Result<Client, Failure> {
    Ok(open!(TestServiceClientBuilder, limit))
}

fn zeros(size: usize) -> Option<Payload> {
    Some(Payload { body: vec![0; size].into(), ..Default::default() })
}

fn simple(size: i32, payload: usize) -> SimpleRequest {
    SimpleRequest { response_size: size, payload: zeros(payload), ..Default::default() }
}

fn large() -> SimpleRequest {
    simple(314159, 271828)
}

fn output(sizes: &[i32], payload: usize) -> StreamingOutputCallRequest {
    let response_parameters = sizes.iter().map(|&size| ResponseParameters { size, ..Default::default() }).collect();
    StreamingOutputCallRequest { response_parameters, payload: zeros(payload), ..Default::default() }
}

fn expect_body(payload: &Option<Payload>, size: i32) -> Outcome {
    let body = payload.as_ref().map_or(&[][..], |payload| &payload.body);
    ensure!(body.len() == size as usize, "a body of {} bytes, expected {size}", body.len());
    ensure!(body.iter().all(|&byte| byte == 0), "the body is not zeros");
    Ok(())
}

fn expect_status<T>(result: Result<T, Status>, code: Code) -> Result<Status, Failure> {
    match result {
        Ok(_) => Err(format!("OK, expected {code:?}").into()),
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(format!("{:?} ({}), expected {code:?}", status.code(), status.message()).into()),
    }
}

async fn expect_reply(replies: &mut (impl Stream<Item = Output> + Unpin), size: i32) -> Outcome {
    match replies.next().await {
        Some(reply) => expect_body(&reply?.payload, size),
        None => Err("a reply is missing".into()),
    }
}

async fn expect_replies(mut replies: impl Stream<Item = Output> + Unpin, sizes: &[i32]) -> Outcome {
    for &size in sizes {
        expect_reply(&mut replies, size).await?;
    }
    ensure!(replies.next().await.transpose()?.is_none(), "one reply too many");
    Ok(())
}

async fn unary(client: &Client, request: SimpleRequest) -> Outcome {
    let size = request.response_size;
    expect_body(&client.unary_call(request).await?.get_ref().payload, size)
}

// --- streams ---

async fn client_streaming(client: Client) -> Outcome {
    let input = |size| StreamingInputCallRequest { payload: zeros(size), ..Default::default() };
    let size = client.streaming_input_call(iter([27182, 8, 1828, 45904].map(input))).await?.into_inner().aggregated_payload_size;
    ensure!(size == 74922, "{size} bytes came together, expected 74922");
    Ok(())
}

async fn slow_consumer(client: Client) -> Outcome {
    let mut replies = client.streaming_output_call(output(&[1030; 2000], 0)).await?.into_inner();
    for _ in 0..2000 {
        expect_reply(&mut replies, 1030).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    expect_replies(replies, &[]).await
}

async fn client_pushback(client: Client) -> Outcome {
    let mut replies = client.streaming_output_call(output(&[64 << 10; 256], 0)).await?.into_inner();
    expect_reply(&mut replies, 64 << 10).await?;
    for _ in 0..20 {
        unary(&client, large()).await?;
    }
    expect_replies(replies, &[64 << 10; 255]).await
}

// The requests of a stream, one by one; dropping the sender half-closes.
fn channel() -> (tokio::sync::mpsc::Sender<StreamingOutputCallRequest>, impl Stream<Item = StreamingOutputCallRequest>) {
    let (to, requests) = tokio::sync::mpsc::channel(1);
    (to, tokio_stream::wrappers::ReceiverStream::new(requests))
}

async fn ping_pong(client: Client) -> Outcome {
    let (to, requests) = channel();
    let payloads = [27182, 8, 1828, 45904];
    to.send(output(&SIZES[..1], payloads[0])).await?;
    let mut replies = client.full_duplex_call(requests).await?.into_inner();
    for i in 0..SIZES.len() {
        if i > 0 {
            to.send(output(&SIZES[i..i + 1], payloads[i])).await?;
        }
        expect_reply(&mut replies, SIZES[i]).await?;
    }
    drop(to);
    expect_replies(replies, &[]).await
}

// --- statuses ---

fn echo_status(message: &str) -> Option<EchoStatus> {
    Some(EchoStatus { code: 2, message: message.to_string().into(), ..Default::default() })
}

async fn status_unary(client: &Client, message: &str) -> Outcome {
    let request = SimpleRequest { response_status: echo_status(message), ..Default::default() };
    let status = expect_status(client.unary_call(request).await, Code::Unknown)?;
    ensure!(status.message() == message, "message {:?}, expected {message:?}", status.message());
    Ok(())
}

async fn status_code_and_message(client: Client) -> Outcome {
    const MESSAGE: &str = "test status message";
    status_unary(&client, MESSAGE).await?;
    let request = StreamingOutputCallRequest { response_status: echo_status(MESSAGE), ..Default::default() };
    let result = match client.full_duplex_call(iter([request])).await {
        Ok(reply) => reply.into_inner().next().await.transpose(),
        Err(status) => Err(status),
    };
    let status = expect_status(result, Code::Unknown)?;
    ensure!(status.message() == MESSAGE, "message {:?}, expected {MESSAGE:?}", status.message());
    Ok(())
}

// --- many ---

async fn concurrent(client: Client) -> Outcome {
    let one = |client: Client| tokio::spawn(async move { unary(&client, large()).await });
    let calls: Vec<_> = (0..1000).map(|_| one(client.clone())).collect();
    for call in calls {
        call.await??;
    }
    Ok(())
}

async fn soak(client: Client, new_channels: bool) -> Outcome {
    let began = Instant::now();
    let worker = || async {
        for _ in 0..10 {
            let client = if new_channels { open(Duration::from_secs(30))? } else { client.clone() };
            let iteration = Instant::now();
            unary(&client, large()).await?;
            ensure!(iteration.elapsed() < Duration::from_secs(10), "an iteration took too long");
        }
        ensure!(began.elapsed() < Duration::from_secs(60), "all took too long");
        Ok(())
    };
    let (one, two) = tokio::join!(worker(), worker());
    one.and(two)
}

async fn run(case: &str) -> Outcome {
    let client = open(Duration::from_secs(if case == "concurrent_large_unary" { 120 } else { 30 }))?;
    match case {
        "empty_unary" => client.empty_call(Empty {}).await.map(drop)?,
        "large_unary" => unary(&client, large()).await?,
        "very_large_request" => unary(&client, simple(10, 10 << 20)).await?,
        "very_large_response" => unary(&client, simple(10 << 20, 10)).await?,
        "concurrent_large_unary" => concurrent(client).await?,
        "client_streaming" => client_streaming(client).await?,
        "server_streaming" => expect_replies(client.streaming_output_call(output(&SIZES, 0)).await?.into_inner(), &SIZES).await?,
        "slow_consumer" => slow_consumer(client).await?,
        "ping_pong" => ping_pong(client).await?,
        "empty_stream" => expect_replies(client.full_duplex_call(iter([])).await?.into_inner(), &[]).await?,
        "half_duplex" => {
            let requests = iter(SIZES.map(|size| output(&[size], 0)));
            expect_replies(client.half_duplex_call(requests).await?.into_inner(), &SIZES).await?
        }
        "status_code_and_message" => status_code_and_message(client).await?,
        "special_status_message" => {
            status_unary(&client, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n").await?
        }
        "unimplemented_method" => {
            expect_status(client.unimplemented_call(Empty {}).await, Code::Unimplemented).map(drop)?
        }
        "unimplemented_service" => {
            let client: UnimplementedServiceClient = open!(UnimplementedServiceClientBuilder, Duration::from_secs(30));
            expect_status(client.unimplemented_call(Empty {}).await, Code::Unimplemented).map(drop)?
        }
        "timeout_on_sleeping_server" => {
            let (to, requests) = channel();
            to.send(output(&[], 27182)).await?;
            let result = open(Duration::from_millis(1))?.full_duplex_call(requests).await;
            expect_status(result.map(drop), Code::DeadlineExceeded).map(drop)?
        }
        "client_pushback" => client_pushback(client).await?,
        "timeout_in_time" => {
            let client = open(Duration::from_secs(20))?;
            let replies = client.full_duplex_call(iter([output(&[314159], 271828)])).await?.into_inner();
            expect_replies(replies, &[314159]).await?
        }
        "rpc_soak" => soak(client, false).await?,
        "channel_soak" => soak(client, true).await?,
        "long_lived_channel" => {
            for i in 0..3 {
                tokio::time::sleep(Duration::from_secs(i.min(1))).await;
                unary(&client, large()).await?;
            }
        }
        _ => return Err("there is no such case".into()),
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let case = std::env::args().nth(1).unwrap_or_default();
    if let Err(failure) = run(&case).await {
        eprintln!("{case}: {failure}");
        std::process::exit(1);
    }
}
