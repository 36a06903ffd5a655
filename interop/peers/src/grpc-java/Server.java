import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import io.grpc.*;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/** The interop server on grpc-java: Server PORT plain|tls. */
final class Server {
  private static final Context.Key<Common.WireSizes> SIZES = Context.key("sizes");

  /** Remembers how each message of a call came. */
  private static final ServerStreamTracer.Factory TRACERS = new ServerStreamTracer.Factory() {
    @Override
    public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
      Common.WireSizes sizes = new Common.WireSizes();
      return new ServerStreamTracer() {
        @Override
        public Context filterContext(Context context) {
          return context.withValue(SIZES, sizes);
        }

        @Override
        public void inboundMessageRead(int number, long wireSize, long size) {
          sizes.add(wireSize);
        }
      };
    }
  };

  /** Gives back the two keys of metadata, and lets a call compress. */
  private static final ServerInterceptor ECHO = new ServerInterceptor() {
    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
      ServerCall<Q, P> echoing = new ForwardingServerCall.SimpleForwardingServerCall<Q, P>(call) {
        @Override
        public void sendHeaders(Metadata own) {
          if (headers.containsKey(Common.INITIAL)) {
            own.put(Common.INITIAL, headers.get(Common.INITIAL));
          }
          super.sendHeaders(own);
        }

        @Override
        public void close(Status status, Metadata trailers) {
          if (headers.containsKey(Common.TRAILING)) {
            trailers.put(Common.TRAILING, headers.get(Common.TRAILING));
          }
          super.close(status, trailers);
        }
      };
      return next.startCall(echoing, headers);
    }
  };

  private static void refuseMessage(com.google.protobuf.MessageLite message, boolean asks, BoolValue expected) {
    if (SIZES.get().nextWasCompressed(message) != expected.getValue() && asks) {
      throw Status.INVALID_ARGUMENT.withDescription("expect_compressed is " + expected.getValue()).asRuntimeException();
    }
  }

  private static void endAsAsked(EchoStatus asked) {
    if (asked.getCode() != 0) {
      throw Status.fromCodeValue(asked.getCode()).withDescription(asked.getMessage()).asRuntimeException();
    }
  }

  private static void unary(SimpleRequest request, StreamObserver<SimpleResponse> replies) {
    ServerCallStreamObserver<SimpleResponse> call = (ServerCallStreamObserver<SimpleResponse>) replies;
    call.setCompression("gzip");
    call.setMessageCompression(request.getResponseCompressed().getValue());
    guard(call, () -> {
      refuseMessage(request, request.hasExpectCompressed(), request.getExpectCompressed());
      endAsAsked(request.getResponseStatus());
      SimpleResponse.Builder reply = SimpleResponse.newBuilder().setPayload(Common.zeros(request.getResponseSize()));
      if (request.getFillServerId()) {
        reply.setServerId("grpc-java " + ProcessHandle.current().pid());
      }
      call.onNext(reply.build());
      call.onCompleted();
    });
  }

  private static void output(StreamingOutputCallRequest request, ServerCallStreamObserver<StreamingOutputCallResponse> call)
      throws InterruptedException {
    endAsAsked(request.getResponseStatus());
    for (ResponseParameters asked : request.getResponseParametersList()) {
      Thread.sleep(asked.getIntervalUs() / 1000);
      call.setMessageCompression(asked.getCompressed().getValue());
      call.onNext(StreamingOutputCallResponse.newBuilder().setPayload(Common.zeros(asked.getSize())).build());
    }
  }

  private interface Step {
    void run() throws InterruptedException;
  }

  /** A status that a step throws is the call's; one who is cancelled has nobody to tell. */
  private static void guard(ServerCallStreamObserver<?> call, Step step) {
    try {
      step.run();
    } catch (StatusRuntimeException error) {
      if (!call.isCancelled()) {
        call.onError(error);
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  /** Requests one by one; after the first that fails nothing more is done. */
  private abstract static class Requests<Q, P> implements StreamObserver<Q> {
    final ServerCallStreamObserver<P> call;
    private boolean over;

    Requests(StreamObserver<P> replies) {
      call = (ServerCallStreamObserver<P>) replies;
      call.setCompression("gzip");
      call.setOnCancelHandler(() -> over = true);
    }

    abstract void take(Q request) throws InterruptedException;

    abstract void end() throws InterruptedException;

    private void step(Step step) {
      if (!over) {
        over = true;
        guard(call, () -> {
          step.run();
          over = false;
        });
      }
    }

    @Override
    public void onNext(Q request) {
      step(() -> take(request));
    }

    @Override
    public void onCompleted() {
      step(() -> {
        end();
        call.onCompleted();
      });
    }

    @Override
    public void onError(Throwable error) {
      over = true;
    }
  }

  private static StreamObserver<StreamingInputCallRequest> input(StreamObserver<StreamingInputCallResponse> replies) {
    return new Requests<StreamingInputCallRequest, StreamingInputCallResponse>(replies) {
      private int sum;

      @Override
      void take(StreamingInputCallRequest request) {
        refuseMessage(request, request.hasExpectCompressed(), request.getExpectCompressed());
        sum += request.getPayload().getBody().size();
      }

      @Override
      void end() {
        call.onNext(StreamingInputCallResponse.newBuilder().setAggregatedPayloadSize(sum).build());
      }
    };
  }

  private static StreamObserver<StreamingOutputCallRequest> duplex(
      StreamObserver<StreamingOutputCallResponse> replies, boolean atTheEnd) {
    return new Requests<StreamingOutputCallRequest, StreamingOutputCallResponse>(replies) {
      private final List<StreamingOutputCallRequest> waiting = new ArrayList<>();

      @Override
      void take(StreamingOutputCallRequest request) throws InterruptedException {
        if (atTheEnd) {
          waiting.add(request);
        } else {
          output(request, call);
        }
      }

      @Override
      void end() throws InterruptedException {
        for (StreamingOutputCallRequest request : waiting) {
          output(request, call);
        }
      }
    };
  }

  private static ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(Common.SERVICE)
        .addMethod(Common.EMPTY, ServerCalls.asyncUnaryCall((Empty request, StreamObserver<Empty> replies) -> {
          replies.onNext(request);
          replies.onCompleted();
        }))
        .addMethod(Common.UNARY, ServerCalls.asyncUnaryCall(Server::unary))
        .addMethod(Common.INPUT, ServerCalls.asyncClientStreamingCall(Server::input))
        .addMethod(Common.OUTPUT, ServerCalls.asyncServerStreamingCall((request, replies) -> {
          ServerCallStreamObserver<StreamingOutputCallResponse> call =
              (ServerCallStreamObserver<StreamingOutputCallResponse>) replies;
          call.setCompression("gzip");
          guard(call, () -> {
            output(request, call);
            call.onCompleted();
          });
        }))
        .addMethod(Common.FULL, ServerCalls.asyncBidiStreamingCall(replies -> duplex(replies, false)))
        .addMethod(Common.HALF, ServerCalls.asyncBidiStreamingCall(replies -> duplex(replies, true)))
        .build();
  }

  public static void main(String[] arguments) throws Exception {
    ServerCredentials credentials = arguments[1].equals("tls")
        ? TlsServerCredentials.create(Common.file("server.pem"), Common.file("server.key"))
        : InsecureServerCredentials.create();
    io.grpc.Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), credentials)
            .executor(Executors.newCachedThreadPool())
            .maxInboundMessageSize(Common.MESSAGE_MAX)
            .maxInboundMetadataSize(Common.METADATA_MAX)
            .addStreamTracerFactory(TRACERS)
            .addService(ServerInterceptors.intercept(service(), ECHO))
            .build()
            .start();
    server.awaitTermination();
  }
}
