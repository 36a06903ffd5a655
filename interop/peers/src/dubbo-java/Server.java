import com.google.protobuf.ByteString;
import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import grpc.testing.TestService;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.common.utils.NetUtils;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.SslConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.config.nested.TripleConfig;
import org.apache.dubbo.rpc.TriRpcStatus;

/** The interop server on dubbo's Triple protocol: Server PORT plain|tls. */
final class Server implements TestService {
  static final int MESSAGE_MAX = 16 << 20, METADATA_MAX = 256 << 10;

  static Payload zeros(int size) {
    return Payload.newBuilder().setBody(ByteString.copyFrom(new byte[size])).build();
  }

  static void common(DubboBootstrap bootstrap, String transport) throws ReflectiveOperationException {
    // Dubbo takes the machine's address in the network for 127.0.0.1.
    Field host = NetUtils.class.getDeclaredField("HOST_ADDRESS");
    host.setAccessible(true);
    host.set(null, "127.0.0.1");
    bootstrap.application("interop").registry(new RegistryConfig("N/A"));
    if (transport.equals("tls")) {
      String folder = System.getenv("INTEROP_TLS");
      SslConfig ssl = new SslConfig();
      ssl.setServerKeyCertChainPath(folder + "/server.pem");
      ssl.setServerPrivateKeyPath(folder + "/server.key");
      // Without a certificate of its own the client speaks plaintext.
      ssl.setClientKeyCertChainPath(folder + "/server.pem");
      ssl.setClientPrivateKeyPath(folder + "/server.key");
      ssl.setClientTrustCertCollectionPath(folder + "/ca.pem");
      bootstrap.ssl(ssl);
    }
  }

  static TripleConfig limits() {
    TripleConfig triple = new TripleConfig();
    triple.setMaxBodySize(MESSAGE_MAX);
    triple.setMaxResponseBodySize(MESSAGE_MAX);
    triple.setMaxHeaderListSize(METADATA_MAX);
    triple.setEnablePush(false); // a server that sets it to 1 breaks RFC 9113, 6.5.2
    // Dubbo adds it to what it may send, too, and then takes a window of 2^31-1, which proxies give, for an overflow.
    triple.setConnectionInitialWindowSize(65535);
    return triple;
  }

  private static void check(EchoStatus status, PayloadType type) {
    if (status.getCode() != 0) {
      throw TriRpcStatus.fromCode(status.getCode()).withDescription(status.getMessage()).asException();
    }
    if (type != PayloadType.COMPRESSABLE) {
      throw TriRpcStatus.fromCode(3).withDescription("there is no payload of that type").asException();
    }
  }

  private static void send(List<ResponseParameters> wanted, StreamObserver<StreamingOutputCallResponse> replies) {
    for (ResponseParameters parameters : wanted) {
      try {
        Thread.sleep(parameters.getIntervalUs() / 1000);
      } catch (InterruptedException error) {
        return;
      }
      replies.onNext(StreamingOutputCallResponse.newBuilder().setPayload(zeros(parameters.getSize())).build());
    }
  }

  /** Requests go to one function, their end to another. */
  private static <Q> StreamObserver<Q> requests(StreamObserver<?> replies, Consumer<Q> take, Runnable end) {
    return new StreamObserver<Q>() {
      @Override
      public void onNext(Q request) {
        try {
          take.accept(request);
        } catch (RuntimeException error) {
          replies.onError(error);
        }
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {
        end.run();
        replies.onCompleted();
      }
    };
  }

  @Override
  public Empty EmptyCall(Empty request) {
    return request;
  }

  @Override
  public SimpleResponse UnaryCall(SimpleRequest request) {
    check(request.getResponseStatus(), request.getResponseType());
    return SimpleResponse.newBuilder().setPayload(zeros(request.getResponseSize())).build();
  }

  @Override
  public void StreamingOutputCall(StreamingOutputCallRequest request, StreamObserver<StreamingOutputCallResponse> replies) {
    check(request.getResponseStatus(), request.getResponseType());
    send(request.getResponseParametersList(), replies);
    replies.onCompleted();
  }

  @Override
  public StreamObserver<StreamingInputCallRequest> StreamingInputCall(StreamObserver<StreamingInputCallResponse> reply) {
    int[] size = {0};
    return requests(reply, request -> size[0] += request.getPayload().getBody().size(),
        () -> reply.onNext(StreamingInputCallResponse.newBuilder().setAggregatedPayloadSize(size[0]).build()));
  }

  @Override
  public StreamObserver<StreamingOutputCallRequest> FullDuplexCall(StreamObserver<StreamingOutputCallResponse> replies) {
    return requests(replies, request -> {
      check(request.getResponseStatus(), request.getResponseType());
      send(request.getResponseParametersList(), replies);
    }, () -> {});
  }

  @Override
  public StreamObserver<StreamingOutputCallRequest> HalfDuplexCall(StreamObserver<StreamingOutputCallResponse> replies) {
    List<ResponseParameters> wanted = new ArrayList<>();
    return requests(replies, request -> wanted.addAll(request.getResponseParametersList()), () -> send(wanted, replies));
  }

  public static void main(String[] arguments) throws ReflectiveOperationException {
    ProtocolConfig protocol = new ProtocolConfig("tri", Integer.parseInt(arguments[0]));
    protocol.setHost("127.0.0.1");
    protocol.setSslEnabled(arguments[1].equals("tls"));
    protocol.setTriple(limits());
    protocol.setPayload(MESSAGE_MAX);
    protocol.setQueues(2000); // calls that find no thread wait; without it they fail
    ServiceConfig<TestService> service = new ServiceConfig<>();
    service.setInterface(TestService.class);
    service.setRef(new Server());
    DubboBootstrap bootstrap = DubboBootstrap.getInstance();
    common(bootstrap, arguments[1]);
    bootstrap.protocol(protocol).service(service).start().await();
  }
}
