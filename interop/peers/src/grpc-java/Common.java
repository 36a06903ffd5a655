import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import com.google.protobuf.MessageLite;
import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import java.nio.file.Path;
import java.util.concurrent.LinkedBlockingQueue;

/** What the client and the server share: the methods, and how a message came. */
final class Common {
  static final int LARGE_REQUEST = 271828, LARGE_REPLY = 314159, MESSAGE_MAX = 20 << 20, METADATA_MAX = 256 << 10;
  static final String SERVICE = "grpc.testing.TestService";
  static final Metadata.Key<String> INITIAL = Metadata.Key.of("x-grpc-test-echo-initial", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> TRAILING =
      Metadata.Key.of("x-grpc-test-echo-trailing-bin", Metadata.BINARY_BYTE_MARSHALLER);

  static final MethodDescriptor<Empty, Empty> EMPTY =
      method(MethodType.UNARY, SERVICE, "EmptyCall", Empty.getDefaultInstance(), Empty.getDefaultInstance());
  static final MethodDescriptor<SimpleRequest, SimpleResponse> UNARY = method(
      MethodType.UNARY, SERVICE, "UnaryCall", SimpleRequest.getDefaultInstance(), SimpleResponse.getDefaultInstance());
  static final MethodDescriptor<StreamingInputCallRequest, StreamingInputCallResponse> INPUT =
      method(MethodType.CLIENT_STREAMING, SERVICE, "StreamingInputCall", StreamingInputCallRequest.getDefaultInstance(),
          StreamingInputCallResponse.getDefaultInstance());
  static final MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> OUTPUT =
      output(MethodType.SERVER_STREAMING, "StreamingOutputCall");
  static final MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> FULL =
      output(MethodType.BIDI_STREAMING, "FullDuplexCall");
  static final MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> HALF =
      output(MethodType.BIDI_STREAMING, "HalfDuplexCall");

  private static MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> output(MethodType type, String name) {
    return method(
        type, SERVICE, name, StreamingOutputCallRequest.getDefaultInstance(), StreamingOutputCallResponse.getDefaultInstance());
  }

  static <Q extends Message, P extends Message> MethodDescriptor<Q, P> method(
      MethodType type, String service, String name, Q request, P reply) {
    return MethodDescriptor.<Q, P>newBuilder(ProtoUtils.marshaller(request), ProtoUtils.marshaller(reply))
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
        .build();
  }

  static Payload zeros(int size) {
    return Payload.newBuilder().setBody(ByteString.copyFrom(new byte[size])).build();
  }

  static BoolValue flag(boolean value) {
    return BoolValue.newBuilder().setValue(value).build();
  }

  static java.io.File file(String name) {
    return Path.of(System.getenv("INTEROP_TLS"), name).toFile();
  }

  /** The sizes on the wire of a call's messages, in order: one that is not the message's own came compressed. */
  static final class WireSizes {
    private final LinkedBlockingQueue<Long> sizes = new LinkedBlockingQueue<>();

    void add(long size) {
      sizes.add(size);
    }

    boolean nextWasCompressed(MessageLite message) {
      return sizes.remove() != message.getSerializedSize();
    }
  }
}
