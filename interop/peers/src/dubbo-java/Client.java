import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import grpc.testing.TestService;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.StatusRpcException;
import org.apache.dubbo.rpc.TriRpcStatus;

/** The interop client on dubbo's Triple protocol: Client CASE HOST PORT plain|tls. Each case is a method. */
final class Client {
  private static final int LIMIT_SECONDS = 60;
  private static final int[] OUTPUT_SIZES = {31415, 9, 2653, 58979}, INPUT_SIZES = {27182, 8, 1828, 45904};

  private final TestService service;

  private Client(TestService service) {
    this.service = service;
  }

  private static void check(boolean truth, String what) {
    if (!truth) {
      throw new AssertionError(what);
    }
  }

  private static void checkBody(Payload payload, int size) {
    check(payload.equals(Server.zeros(size)), "a body of " + payload.getBody().size() + " bytes, expected " + size + " zeros");
  }

  private static void checkStatus(Throwable error, int code, String message) {
    while (!(error instanceof StatusRpcException) && error.getCause() != null) {
      error = error.getCause();
    }
    TriRpcStatus status = TriRpcStatus.getStatus(error);
    check(status.code.code == code && message.equals(status.description), status.code + ": " + status.description);
  }

  private static SimpleRequest simple(int reply, int request) {
    return SimpleRequest.newBuilder().setResponseSize(reply).setPayload(Server.zeros(request)).build();
  }

  private static StreamingOutputCallRequest output(int request, int... replies) {
    StreamingOutputCallRequest.Builder built = StreamingOutputCallRequest.newBuilder().setPayload(Server.zeros(request));
    for (int size : replies) {
      built.addResponseParameters(ResponseParameters.newBuilder().setSize(size));
    }
    return built.build();
  }

  private void unary(int reply, int request) {
    checkBody(service.UnaryCall(simple(reply, request)).getPayload(), reply);
  }

  /** What arrives waits until somebody asks: a reply, an error, or the end. */
  private static final class Replies<P> implements StreamObserver<P> {
    private static final Object END = new Object();
    private final LinkedBlockingQueue<Object> arrived = new LinkedBlockingQueue<>();

    @Override
    public void onNext(P reply) {
      arrived.add(reply);
    }

    @Override
    public void onError(Throwable error) {
      arrived.add(error);
    }

    @Override
    public void onCompleted() {
      arrived.add(END);
    }

    Object next() throws InterruptedException {
      Object next = arrived.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
      check(next != null, "nothing arrives");
      return next;
    }

    void expect(int... sizes) throws InterruptedException {
      for (int size : sizes) {
        Object next = next();
        check(next instanceof StreamingOutputCallResponse, next + " instead of a reply");
        checkBody(((StreamingOutputCallResponse) next).getPayload(), size);
      }
    }

    void expectEnd() throws InterruptedException {
      Object next = next();
      check(next == END, next + " instead of the end");
    }
  }

  void empty_unary() {
    check(Empty.getDefaultInstance().equals(service.EmptyCall(Empty.getDefaultInstance())), "not an empty reply");
  }

  void large_unary() {
    unary(314159, 271828);
  }

  void very_large_request() {
    unary(10, 10 << 20);
  }

  void very_large_response() {
    unary(10 << 20, 10);
  }

  void client_streaming() throws Exception {
    Replies<StreamingInputCallResponse> reply = new Replies<>();
    StreamObserver<StreamingInputCallRequest> requests = service.StreamingInputCall(reply);
    for (int size : INPUT_SIZES) {
      requests.onNext(StreamingInputCallRequest.newBuilder().setPayload(Server.zeros(size)).build());
    }
    requests.onCompleted();
    Object next = reply.next();
    check(next instanceof StreamingInputCallResponse, next + " instead of the reply");
    check(((StreamingInputCallResponse) next).getAggregatedPayloadSize() == 74922, "another size");
    reply.expectEnd();
  }

  void server_streaming() throws Exception {
    Replies<StreamingOutputCallResponse> replies = new Replies<>();
    service.StreamingOutputCall(output(0, OUTPUT_SIZES), replies);
    replies.expect(OUTPUT_SIZES);
    replies.expectEnd();
  }

  void ping_pong() throws Exception {
    Replies<StreamingOutputCallResponse> replies = new Replies<>();
    StreamObserver<StreamingOutputCallRequest> requests = service.FullDuplexCall(replies);
    for (int i = 0; i < 4; i++) {
      requests.onNext(output(INPUT_SIZES[i], OUTPUT_SIZES[i]));
      replies.expect(OUTPUT_SIZES[i]);
    }
    requests.onCompleted();
    replies.expectEnd();
  }

  void half_duplex() throws Exception {
    Replies<StreamingOutputCallResponse> replies = new Replies<>();
    StreamObserver<StreamingOutputCallRequest> requests = service.HalfDuplexCall(replies);
    for (int size : OUTPUT_SIZES) {
      requests.onNext(output(0, size));
    }
    requests.onCompleted();
    replies.expect(OUTPUT_SIZES);
    replies.expectEnd();
  }

  private void statusOfUnary(EchoStatus status) {
    try {
      service.UnaryCall(SimpleRequest.newBuilder().setResponseStatus(status).build());
    } catch (RuntimeException error) {
      checkStatus(error, status.getCode(), status.getMessage());
      return;
    }
    check(false, "OK, expected a failure");
  }

  void status_code_and_message() throws Exception {
    EchoStatus status = EchoStatus.newBuilder().setCode(2).setMessage("test status message").build();
    statusOfUnary(status);
    Replies<StreamingOutputCallResponse> replies = new Replies<>();
    StreamObserver<StreamingOutputCallRequest> requests = service.FullDuplexCall(replies);
    requests.onNext(StreamingOutputCallRequest.newBuilder().setResponseStatus(status).build());
    requests.onCompleted();
    Object next = replies.next();
    check(next instanceof Throwable, next + " instead of an error");
    checkStatus((Throwable) next, status.getCode(), status.getMessage());
  }

  void special_status_message() {
    statusOfUnary(EchoStatus.newBuilder().setCode(2)
        .setMessage("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \ud83d\ude08\t\n").build());
  }

  void rpc_soak() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    Callable<Void> ten = () -> {
      for (int i = 0; i < 10; i++) {
        large_unary();
      }
      return null;
    };
    for (Future<Void> worker : pool.invokeAll(Arrays.asList(ten, ten))) {
      worker.get();
    }
  }

  void long_lived_channel() throws Exception {
    for (int i = 0; i < 3; i++) {
      Thread.sleep(i == 0 ? 0 : 1000);
      large_unary();
    }
  }

  public static void main(String[] arguments) {
    try {
      ProtocolConfig protocol = new ProtocolConfig("tri", -1);
      protocol.setTriple(Server.limits());
      ReferenceConfig<TestService> reference = new ReferenceConfig<>();
      reference.setInterface(TestService.class);
      boolean tls = arguments[3].equals("tls");
      reference.setUrl("tri://" + arguments[1] + ":" + arguments[2] + "?ssl-enabled=" + tls);
      reference.setTimeout(LIMIT_SECONDS * 1000);
      reference.setRetries(0);
      DubboBootstrap bootstrap = DubboBootstrap.getInstance();
      Server.common(bootstrap, arguments[3]);
      bootstrap.protocol(protocol).reference(reference).start();
      Client.class.getDeclaredMethod(arguments[0]).invoke(new Client(reference.get()));
      Runtime.getRuntime().halt(0);
    } catch (Throwable error) {
      Throwable cause = error;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      System.err.println(arguments[0] + ": " + String.valueOf(cause).replace('\n', ' '));
      Runtime.getRuntime().halt(1);
    }
  }
}
