// The interop client on tonic: client CASE HOST PORT plain|tls. Exits with 0 when the case passed.

use pb::test_service_client::TestServiceClient;
use pb::unimplemented_service_client::UnimplementedServiceClient;
use pb::*;
use std::time::{Duration, Instant};
use tokio_stream::iter;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

mod pb {
    tonic::include_proto!("grpc.testing");
}

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
const SIZES: [i32; 4] = [31415, 9, 2653, 58979];
const MESSAGE_MAX: usize = (16 << 20) + 1024;
const METADATA_MAX: u32 = 256 << 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;
type Client = TestServiceClient<Channel>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => { if !$condition { return Err(format!($($text)*).into()) } };
}

async fn connect(arguments: &[String]) -> Result<Channel, Failure> {
    let scheme = if arguments[4] == "tls" { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}:{}", arguments[2], arguments[3]))?
        .http2_max_header_list_size(METADATA_MAX);
    if arguments[4] == "tls" {
        let ca = Certificate::from_pem(std::fs::read(format!("{}/ca.pem", std::env::var("INTEROP_TLS")?))?);
        endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(ca).domain_name("foo.test.google.fr"))?;
    }
    Ok(endpoint.connect().await?)
}

fn on(channel: Channel) -> Client {
    TestServiceClient::new(channel).max_decoding_message_size(MESSAGE_MAX).accept_compressed(Gzip)
}

fn zeros(size: usize) -> Option<Payload> {
    Some(Payload { r#type: 0, body: vec![0; size] })
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

fn input(size: usize) -> StreamingInputCallRequest {
    StreamingInputCallRequest { payload: zeros(size), ..Default::default() }
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

async fn expect_reply(replies: &mut Streaming<StreamingOutputCallResponse>, size: i32) -> Outcome {
    match replies.message().await? {
        Some(reply) => expect_body(&reply.payload, size),
        None => Err("a reply is missing".into()),
    }
}

async fn expect_end(replies: &mut Streaming<StreamingOutputCallResponse>) -> Outcome {
    ensure!(replies.message().await?.is_none(), "one reply too many");
    Ok(())
}

async fn unary(client: &Client, request: SimpleRequest) -> Result<Response<SimpleResponse>, Failure> {
    let size = request.response_size;
    let reply = client.clone().unary_call(request).await?;
    expect_body(&reply.get_ref().payload, size)?;
    Ok(reply)
}

// --- streams ---

async fn client_streaming(mut client: Client) -> Outcome {
    let reply = client.streaming_input_call(iter([27182, 8, 1828, 45904].map(input))).await?.into_inner();
    let size = reply.aggregated_payload_size;
    ensure!(size == 74922, "{size} bytes came together, expected 74922");
    Ok(())
}

async fn server_streaming(mut client: Client, sizes: &[i32], pause: Duration) -> Outcome {
    let mut replies = client.streaming_output_call(output(sizes, 0)).await?.into_inner();
    for &size in sizes {
        expect_reply(&mut replies, size).await?;
        tokio::time::sleep(pause).await;
    }
    expect_end(&mut replies).await
}

// The requests of a stream, one by one; dropping the sender half-closes.
fn channel() -> (tokio::sync::mpsc::Sender<StreamingOutputCallRequest>, impl tokio_stream::Stream<Item = StreamingOutputCallRequest>) {
    let (to, requests) = tokio::sync::mpsc::channel(1);
    (to, tokio_stream::wrappers::ReceiverStream::new(requests))
}

async fn ping_pong(mut client: Client) -> Outcome {
    let (to, requests) = channel();
    let payloads = [27182, 8, 1828, 45904];
    // A server may answer with headers only when it has a request.
    to.send(output(&SIZES[..1], payloads[0])).await?;
    let mut replies = client.full_duplex_call(requests).await?.into_inner();
    for i in 0..SIZES.len() {
        if i > 0 {
            to.send(output(&SIZES[i..i + 1], payloads[i])).await?;
        }
        expect_reply(&mut replies, SIZES[i]).await?;
    }
    drop(to);
    expect_end(&mut replies).await
}

async fn half_duplex(mut client: Client) -> Outcome {
    let mut replies = client.half_duplex_call(iter(SIZES.map(|size| output(&[size], 0)))).await?.into_inner();
    for size in SIZES {
        expect_reply(&mut replies, size).await?;
    }
    expect_end(&mut replies).await
}

async fn client_pushback(mut client: Client) -> Outcome {
    const REPLY: i32 = 64 << 10;
    let mut replies = client.streaming_output_call(output(&[REPLY; 256], 0)).await?.into_inner();
    expect_reply(&mut replies, REPLY).await?;
    for _ in 0..20 {
        unary(&client, large()).await?;
    }
    for _ in 1..256 {
        expect_reply(&mut replies, REPLY).await?;
    }
    expect_end(&mut replies).await
}

async fn one_duplex(client: &mut Client, timeout: Duration) -> Outcome {
    let mut request = Request::new(iter([output(&[314159], 271828)]));
    request.set_timeout(timeout);
    let mut replies = client.full_duplex_call(request).await?.into_inner();
    expect_reply(&mut replies, 314159).await?;
    expect_end(&mut replies).await
}

// --- compression ---

async fn client_compressed_unary(client: Client, probe: bool) -> Outcome {
    let asked = |value| SimpleRequest { expect_compressed: Some(BoolValue { value }), ..large() };
    if probe {
        expect_status(client.clone().unary_call(asked(true)).await, Code::InvalidArgument)?;
    }
    unary(&client.clone().send_compressed(Gzip), asked(true)).await?;
    unary(&client, asked(false)).await?;
    Ok(())
}

// --- metadata and statuses ---

fn expect_echo(metadata: &MetadataMap, initial: Option<&str>, trailing: bool) -> Outcome {
    let got: Vec<_> = metadata.get_all(INITIAL).iter().map(MetadataValue::as_bytes).collect();
    let expected: Vec<_> = initial.iter().map(|value| value.as_bytes()).collect();
    ensure!(got == expected, "{INITIAL} came {} times, or with another value", got.len());
    let got = metadata.get_all_bin(TRAILING).iter().map(|value| value.to_bytes()).collect::<Result<Vec<_>, _>>()?;
    let expected: &[&[u8]] = if trailing { &[&[0xab, 0xab, 0xab]] } else { &[] };
    ensure!(got == expected, "{TRAILING} came {} times, or with another value", got.len());
    Ok(())
}

async fn custom_metadata(mut client: Client) -> Outcome {
    const VALUE: &str = "test_initial_metadata_value";
    fn with_metadata<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(INITIAL, MetadataValue::from_static(VALUE));
        request.metadata_mut().insert_bin(TRAILING, MetadataValue::from_bytes(&[0xab, 0xab, 0xab]));
        request
    }
    // tonic puts the trailers of a unary call to its headers.
    let reply = client.unary_call(with_metadata(large())).await?;
    expect_body(&reply.get_ref().payload, 314159)?;
    expect_echo(reply.metadata(), Some(VALUE), true)?;
    let reply = client.full_duplex_call(with_metadata(iter([output(&[314159], 271828)]))).await?;
    expect_echo(reply.metadata(), Some(VALUE), false)?;
    let mut replies = reply.into_inner();
    expect_reply(&mut replies, 314159).await?;
    expect_end(&mut replies).await?;
    expect_echo(&replies.trailers().await?.unwrap_or_default(), None, true)
}

async fn status_unary(mut client: Client, message: &str) -> Outcome {
    let response_status = Some(EchoStatus { code: 2, message: message.into() });
    let request = SimpleRequest { response_status, ..Default::default() };
    let status = expect_status(client.unary_call(request).await, Code::Unknown)?;
    ensure!(status.message() == message, "message {:?}, expected {message:?}", status.message());
    Ok(())
}

async fn status_code_and_message(mut client: Client) -> Outcome {
    const MESSAGE: &str = "test status message";
    status_unary(client.clone(), MESSAGE).await?;
    let response_status = Some(EchoStatus { code: 2, message: MESSAGE.into() });
    let request = StreamingOutputCallRequest { response_status, ..Default::default() };
    let result = match client.full_duplex_call(iter([request])).await {
        Ok(reply) => reply.into_inner().message().await,
        Err(status) => Err(status),
    };
    let status = expect_status(result, Code::Unknown)?;
    ensure!(status.message() == MESSAGE, "message {:?}, expected {MESSAGE:?}", status.message());
    Ok(())
}

async fn large_header(mut client: Client) -> Outcome {
    let value: String = ('a'..='z').cycle().take(63 << 10).collect();
    let mut request = Request::new(SimpleRequest::default());
    request.metadata_mut().insert(INITIAL, MetadataValue::<Ascii>::try_from(&value)?);
    let reply = client.unary_call(request).await?;
    expect_echo(reply.metadata(), Some(&value), false)
}

// --- many ---

async fn concurrent(client: Client) -> Outcome {
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { unary(&client, large()).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await??;
    }
    Ok(())
}

async fn soak(client: Client, arguments: &[String], new_channels: bool) -> Outcome {
    let began = Instant::now();
    let worker = || async {
        for _ in 0..10 {
            let client = if new_channels { on(connect(arguments).await?) } else { client.clone() };
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

async fn run(arguments: &[String]) -> Outcome {
    let channel = connect(arguments).await?;
    let mut client = on(channel.clone());
    match arguments[1].as_str() {
        "empty_unary" => client.empty_call(Empty {}).await.map(drop)?,
        "large_unary" => unary(&client, large()).await.map(drop)?,
        "very_large_request" => unary(&client, simple(10, 10 << 20)).await.map(drop)?,
        "very_large_response" => unary(&client, simple(10 << 20, 10)).await.map(drop)?,
        "concurrent_large_unary" => concurrent(client).await?,
        "client_compressed_unary" => client_compressed_unary(client, true).await?,
        "client_compressed_unary_noprobe" => client_compressed_unary(client, false).await?,
        "client_streaming" => client_streaming(client).await?,
        "server_streaming" => server_streaming(client, &SIZES, Duration::ZERO).await?,
        "slow_consumer" => server_streaming(client, &[1030; 2000], Duration::from_millis(20)).await?,
        "ping_pong" => ping_pong(client).await?,
        "empty_stream" => expect_end(client.full_duplex_call(iter([])).await?.get_mut()).await?,
        "half_duplex" => half_duplex(client).await?,
        "custom_metadata" => custom_metadata(client).await?,
        "status_code_and_message" => status_code_and_message(client).await?,
        "special_status_message" => {
            status_unary(client, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n").await?
        }
        "unimplemented_method" => {
            expect_status(client.unimplemented_call(Empty {}).await, Code::Unimplemented).map(drop)?
        }
        "unimplemented_service" => {
            let result = UnimplementedServiceClient::new(channel).unimplemented_call(Empty {}).await;
            expect_status(result, Code::Unimplemented).map(drop)?
        }
        "timeout_on_sleeping_server" => {
            let (to, requests) = self::channel();
            to.send(output(&[], 27182)).await?;
            let mut request = Request::new(requests);
            request.set_timeout(Duration::from_millis(1));
            expect_status(client.full_duplex_call(request).await, Code::DeadlineExceeded).map(drop)?
        }
        "client_pushback" => client_pushback(client).await?,
        "large_header" => large_header(client).await?,
        "timeout_in_time" => one_duplex(&mut client, Duration::from_secs(20)).await?,
        "rpc_soak" => soak(client, arguments, false).await?,
        "channel_soak" => soak(client, arguments, true).await?,
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
    let arguments: Vec<String> = std::env::args().collect();
    if let Err(failure) = run(&arguments).await {
        eprintln!("{}: {failure}", arguments[1]);
        std::process::exit(1);
    }
}
