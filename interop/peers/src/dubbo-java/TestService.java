package grpc.testing;

import grpc.testing.EmptyOuterClass.Empty;
import grpc.testing.Messages.*;
import org.apache.dubbo.common.stream.StreamObserver;

/** The service as dubbo wants it: the methods bear the names that go over the wire. */
public interface TestService {
  Empty EmptyCall(Empty request);

  SimpleResponse UnaryCall(SimpleRequest request);

  void StreamingOutputCall(StreamingOutputCallRequest request, StreamObserver<StreamingOutputCallResponse> replies);

  StreamObserver<StreamingInputCallRequest> StreamingInputCall(StreamObserver<StreamingInputCallResponse> reply);

  StreamObserver<StreamingOutputCallRequest> FullDuplexCall(StreamObserver<StreamingOutputCallResponse> replies);

  StreamObserver<StreamingOutputCallRequest> HalfDuplexCall(StreamObserver<StreamingOutputCallResponse> replies);
}
