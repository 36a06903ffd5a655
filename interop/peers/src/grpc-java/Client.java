import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.MessageLite;
import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import io.grpc.*;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.MetadataUtils;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;

/** The interop client on grpc-java: Client CASE HOST PORT plain|tls. Each case is a method. */
final class Client {
  private static final int LIMIT_SECONDS = 60;
  private static final int[] OUTPUT_SIZES = {31415, 9, 2653, 58979}, INPUT_SIZES = {27182, 8, 1828, 45904};

  private final String host, transport;
  private final int port;
  private final ManagedChannel channel;

  private Client(String host, int port, String transport) throws Exception {
    this.host = host;
    this.port = port;
    this.transport = transport;
    channel = open();
  }

  private ManagedChannel open() throws Exception {
    ChannelCredentials credentials = transport.equals("tls")
        ? TlsChannelCredentials.newBuilder().trustManager(Common.file("ca.pem")).build()
        : InsecureChannelCredentials.create();
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress(host, port, credentials)
        .maxInboundMessageSize(Common.MESSAGE_MAX)
        .proxyDetector(address -> null);
    return (transport.equals("tls") ? builder.overrideAuthority("foo.test.google.fr") : builder).build();
  }

  private static CallOptions options() {
    return CallOptions.DEFAULT.withDeadlineAfter(LIMIT_SECONDS, SECONDS);
  }

  private static void check(boolean truth, String what) {
    if (!truth) {
      throw new AssertionError(what);
    }
  }

  private static void check(Status status, Status.Code code, String message) {
    check(status.getCode() == code && (message == null || message.equals(status.getDescription())),
        status + ", expected " + code + (message == null ? "" : ", " + message));
  }

  private static void checkBody(Payload payload, int size) {
    check(payload.equals(Common.zeros(size)), "a body of " + payload.getBody().size() + " bytes, expected " + size + " zeros");
  }

  private static SimpleRequest.Builder simple() {
    return SimpleRequest.newBuilder().setResponseSize(Common.LARGE_REPLY).setPayload(Common.zeros(Common.LARGE_REQUEST));
  }

  private static StreamingOutputCallRequest output(int request, int... replies) {
    StreamingOutputCallRequest.Builder built = StreamingOutputCallRequest.newBuilder().setPayload(Common.zeros(request));
    for (int size : replies) {
      built.addResponseParameters(ResponseParameters.newBuilder().setSize(size));
    }
    return built.build();
  }

  /** Requests and replies of a stream: what arrives waits until somebody asks. */
  private static final class Stream<Q, P> implements ClientResponseObserver<Q, P> {
    private ClientCallStreamObserver<Q> requests;
    private final LinkedBlockingQueue<Object> arrived = new LinkedBlockingQueue<>();

    @Override
    public void beforeStart(ClientCallStreamObserver<Q> stream) {
      requests = stream;
    }

    @Override
    public void onNext(P reply) {
      arrived.add(reply);
    }

    @Override
    public void onError(Throwable error) {
      arrived.add(Status.fromThrowable(error));
    }

    @Override
    public void onCompleted() {
      arrived.add(Status.OK);
    }

    private Object next() throws InterruptedException {
      Object next = arrived.poll(LIMIT_SECONDS, SECONDS);
      check(next != null, "nothing arrives");
      return next;
    }

    @SuppressWarnings("unchecked")
    P reply() throws InterruptedException {
      Object next = next();
      check(!(next instanceof Status), next + " instead of a reply");
      return (P) next;
    }

    Status status() throws InterruptedException {
      Object next = next();
      check(next instanceof Status, "a reply too many");
      return (Status) next;
    }
  }

  private Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> fullDuplex(Channel on, CallOptions options) {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = new Stream<>();
    ClientCalls.asyncBidiStreamingCall(on.newCall(Common.FULL, options), stream);
    return stream;
  }

  private Stream<StreamingInputCallRequest, StreamingInputCallResponse> clientStream(CallOptions options) {
    Stream<StreamingInputCallRequest, StreamingInputCallResponse> stream = new Stream<>();
    ClientCalls.asyncClientStreamingCall(channel.newCall(Common.INPUT, options), stream);
    return stream;
  }

  private SimpleResponse unary(SimpleRequest request, CallOptions options) {
    return ClientCalls.blockingUnaryCall(channel, Common.UNARY, options, request);
  }

  private Status unaryStatus(SimpleRequest request) {
    try {
      unary(request, options());
      return Status.OK;
    } catch (StatusRuntimeException error) {
      return error.getStatus();
    }
  }

  private static CallOptions tracing(Common.WireSizes sizes) {
    return options().withStreamTracerFactory(new ClientStreamTracer.Factory() {
      @Override
      public ClientStreamTracer newClientStreamTracer(ClientStreamTracer.StreamInfo info, Metadata headers) {
        return new ClientStreamTracer() {
          @Override
          public void inboundMessageRead(int number, long wireSize, long size) {
            sizes.add(wireSize);
          }
        };
      }
    });
  }

  private static void checkCompressed(Common.WireSizes sizes, MessageLite message, boolean expected) {
    check(sizes.nextWasCompressed(message) == expected, "a message came " + (expected ? "un" : "") + "compressed");
  }

  void empty_unary() {
    Empty reply = ClientCalls.blockingUnaryCall(channel, Common.EMPTY, options(), Empty.getDefaultInstance());
    check(reply.equals(Empty.getDefaultInstance()), "not an empty reply");
  }

  void large_unary() {
    checkBody(unary(simple().build(), options()).getPayload(), Common.LARGE_REPLY);
  }

  void very_large_request() {
    SimpleRequest request = SimpleRequest.newBuilder().setResponseSize(10).setPayload(Common.zeros(10 << 20)).build();
    checkBody(unary(request, options()).getPayload(), 10);
  }

  void client_compressed_unary() {
    check(unaryStatus(simple().setExpectCompressed(Common.flag(true)).build()), Status.Code.INVALID_ARGUMENT, null);
    client_compressed_unary_noprobe();
  }

  void client_compressed_unary_noprobe() {
    SimpleRequest request = simple().setExpectCompressed(Common.flag(true)).build();
    checkBody(unary(request, options().withCompression("gzip")).getPayload(), Common.LARGE_REPLY);
    checkBody(unary(simple().setExpectCompressed(Common.flag(false)).build(), options()).getPayload(), Common.LARGE_REPLY);
  }

  void server_compressed_unary() {
    for (boolean compressed : new boolean[] {true, false}) {
      Common.WireSizes sizes = new Common.WireSizes();
      SimpleResponse reply = unary(simple().setResponseCompressed(Common.flag(compressed)).build(), tracing(sizes));
      checkBody(reply.getPayload(), Common.LARGE_REPLY);
      checkCompressed(sizes, reply, compressed);
    }
  }

  void client_streaming() throws Exception {
    Stream<StreamingInputCallRequest, StreamingInputCallResponse> stream = clientStream(options());
    for (int size : INPUT_SIZES) {
      stream.requests.onNext(StreamingInputCallRequest.newBuilder().setPayload(Common.zeros(size)).build());
    }
    stream.requests.onCompleted();
    check(stream.reply().getAggregatedPayloadSize() == 74922, "not 74922 bytes");
    check(stream.status(), Status.Code.OK, null);
  }

  void client_compressed_streaming() throws Exception {
    Stream<StreamingInputCallRequest, StreamingInputCallResponse> probe = clientStream(options());
    probe.requests.onNext(StreamingInputCallRequest.newBuilder()
        .setExpectCompressed(Common.flag(true)).setPayload(Common.zeros(27182)).build());
    probe.requests.onCompleted();
    check(probe.status(), Status.Code.INVALID_ARGUMENT, null);
    client_compressed_streaming_noprobe();
  }

  void client_compressed_streaming_noprobe() throws Exception {
    Stream<StreamingInputCallRequest, StreamingInputCallResponse> stream = clientStream(options().withCompression("gzip"));
    stream.requests.setMessageCompression(true);
    stream.requests.onNext(StreamingInputCallRequest.newBuilder()
        .setExpectCompressed(Common.flag(true)).setPayload(Common.zeros(27182)).build());
    stream.requests.setMessageCompression(false);
    stream.requests.onNext(StreamingInputCallRequest.newBuilder()
        .setExpectCompressed(Common.flag(false)).setPayload(Common.zeros(45904)).build());
    stream.requests.onCompleted();
    check(stream.reply().getAggregatedPayloadSize() == 73086, "not 73086 bytes");
    check(stream.status(), Status.Code.OK, null);
  }

  private void serverStreaming(CallOptions options, Common.WireSizes sizes, int[] wanted, boolean... compressed) throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = new Stream<>();
    StreamingOutputCallRequest.Builder request = StreamingOutputCallRequest.newBuilder();
    for (int i = 0; i < wanted.length; i++) {
      ResponseParameters.Builder parameters = ResponseParameters.newBuilder().setSize(wanted[i]);
      request.addResponseParameters(sizes == null ? parameters : parameters.setCompressed(Common.flag(compressed[i])));
    }
    ClientCalls.asyncServerStreamingCall(channel.newCall(Common.OUTPUT, options), request.build(), stream);
    for (int i = 0; i < wanted.length; i++) {
      StreamingOutputCallResponse reply = stream.reply();
      checkBody(reply.getPayload(), wanted[i]);
      if (sizes != null) {
        checkCompressed(sizes, reply, compressed[i]);
      }
    }
    check(stream.status(), Status.Code.OK, null);
  }

  void server_streaming() throws Exception {
    serverStreaming(options(), null, OUTPUT_SIZES);
  }

  void server_compressed_streaming() throws Exception {
    Common.WireSizes sizes = new Common.WireSizes();
    serverStreaming(tracing(sizes), sizes, new int[] {31415, 92653}, true, false);
  }

  void ping_pong() throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = fullDuplex(channel, options());
    for (int i = 0; i < OUTPUT_SIZES.length; i++) {
      stream.requests.onNext(output(INPUT_SIZES[i], OUTPUT_SIZES[i]));
      checkBody(stream.reply().getPayload(), OUTPUT_SIZES[i]);
    }
    stream.requests.onCompleted();
    check(stream.status(), Status.Code.OK, null);
  }

  void half_duplex() throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = new Stream<>();
    ClientCalls.asyncBidiStreamingCall(channel.newCall(Common.HALF, options()), stream);
    for (int size : OUTPUT_SIZES) {
      stream.requests.onNext(output(0, size));
    }
    stream.requests.onCompleted();
    for (int size : OUTPUT_SIZES) {
      checkBody(stream.reply().getPayload(), size);
    }
    check(stream.status(), Status.Code.OK, null);
  }

  void empty_stream() throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = fullDuplex(channel, options());
    stream.requests.onCompleted();
    check(stream.status(), Status.Code.OK, null);
  }

  void custom_metadata() throws Exception {
    byte[] trailing = {(byte) 0xab, (byte) 0xab, (byte) 0xab};
    for (boolean streams : new boolean[] {false, true}) {
      Metadata sent = new Metadata();
      sent.put(Common.INITIAL, "test_initial_metadata_value");
      sent.put(Common.TRAILING, trailing);
      AtomicReference<Metadata> headers = new AtomicReference<>(), trailers = new AtomicReference<>();
      Channel with = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(sent),
          MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
      if (streams) {
        Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = fullDuplex(with, options());
        stream.requests.onNext(output(Common.LARGE_REQUEST, Common.LARGE_REPLY));
        stream.requests.onCompleted();
        checkBody(stream.reply().getPayload(), Common.LARGE_REPLY);
        check(stream.status(), Status.Code.OK, null);
      } else {
        checkBody(ClientCalls.blockingUnaryCall(with, Common.UNARY, options(), simple().build()).getPayload(), Common.LARGE_REPLY);
      }
      check("test_initial_metadata_value".equals(headers.get().get(Common.INITIAL)), "headers " + headers);
      check(Arrays.equals(trailing, trailers.get().get(Common.TRAILING)), "trailers " + trailers);
    }
  }

  void status_code_and_message() throws Exception {
    EchoStatus asked = EchoStatus.newBuilder().setCode(2).setMessage("test status message").build();
    check(unaryStatus(simple().setResponseStatus(asked).build()), Status.Code.UNKNOWN, asked.getMessage());
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = fullDuplex(channel, options());
    stream.requests.onNext(StreamingOutputCallRequest.newBuilder().setResponseStatus(asked).build());
    stream.requests.onCompleted();
    check(stream.status(), Status.Code.UNKNOWN, asked.getMessage());
  }

  void special_status_message() {
    String text = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \ud83d\ude08\t\n";
    EchoStatus asked = EchoStatus.newBuilder().setCode(2).setMessage(text).build();
    check(unaryStatus(SimpleRequest.newBuilder().setResponseStatus(asked).build()), Status.Code.UNKNOWN, text);
  }

  private void unimplemented(String service) {
    MethodDescriptor<Empty, Empty> method = Common.method(MethodDescriptor.MethodType.UNARY, service, "UnimplementedCall",
        Empty.getDefaultInstance(), Empty.getDefaultInstance());
    try {
      ClientCalls.blockingUnaryCall(channel, method, options(), Empty.getDefaultInstance());
    } catch (StatusRuntimeException error) {
      check(error.getStatus(), Status.Code.UNIMPLEMENTED, null);
      return;
    }
    check(false, "OK");
  }

  void unimplemented_method() {
    unimplemented(Common.SERVICE);
  }

  void unimplemented_service() {
    unimplemented("grpc.testing.UnimplementedService");
  }

  void cancel_after_begin() throws Exception {
    Stream<StreamingInputCallRequest, StreamingInputCallResponse> stream = clientStream(options());
    stream.requests.cancel("the case", null);
    check(stream.status(), Status.Code.CANCELLED, null);
  }

  void cancel_after_first_response() throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream = fullDuplex(channel, options());
    stream.requests.onNext(output(27182, 31415));
    checkBody(stream.reply().getPayload(), 31415);
    stream.requests.cancel("the case", null);
    check(stream.status(), Status.Code.CANCELLED, null);
  }

  void timeout_on_sleeping_server() throws Exception {
    Stream<StreamingOutputCallRequest, StreamingOutputCallResponse> stream =
        fullDuplex(channel, CallOptions.DEFAULT.withDeadlineAfter(1, MILLISECONDS));
    try {
      stream.requests.onNext(output(27182));
    } catch (IllegalStateException late) {
      // The call is over.
    }
    check(stream.status(), Status.Code.DEADLINE_EXCEEDED, null);
  }

  void pick_first_unary() {
    String id = null;
    for (int i = 0; i < 100; i++) {
      SimpleRequest request =
          SimpleRequest.newBuilder().setResponseSize(1).setPayload(Common.zeros(1)).setFillServerId(true).build();
      String other = unary(request, options()).getServerId();
      check(!other.isEmpty() && (id == null || id.equals(other)), "server_id '" + other + "' after '" + id + "'");
      id = other;
    }
  }

  void concurrent_large_unary() throws Exception {
    List<ListenableFuture<SimpleResponse>> calls = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      calls.add(ClientCalls.futureUnaryCall(channel.newCall(Common.UNARY, CallOptions.DEFAULT), simple().build()));
    }
    for (ListenableFuture<SimpleResponse> call : calls) {
      checkBody(call.get(2 * LIMIT_SECONDS, SECONDS).getPayload(), Common.LARGE_REPLY);
    }
  }

  void rpc_soak() {
    for (int i = 0; i < 20; i++) {
      large_unary();
    }
  }

  void channel_soak() throws Exception {
    for (int i = 0; i < 20; i++) {
      Client other = new Client(host, port, transport);
      other.large_unary();
      other.channel.shutdownNow();
    }
  }

  public static void main(String[] arguments) throws Exception {
    try {
      Client client = new Client(arguments[1], Integer.parseInt(arguments[2]), arguments[3]);
      Client.class.getDeclaredMethod(arguments[0]).invoke(client);
    } catch (java.lang.reflect.InvocationTargetException error) {
      System.err.println("FAIL: " + error.getCause());
      System.exit(1);
    }
    System.exit(0);
  }
}
