package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.bytes.BytesOut;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;

/**
 * Flink's state of all stages, by key: the bytes of each keyed stage, and what waits for an answer in each HTTP stage.
 *
 * <p>Invariant: {@code resident} holds exactly the keys whose state the script has; what changed of them is written here when
 * a checkpoint is taken, or the script lets go of them.
 */
final class KeyedStates {
  private static final byte[] NONE = new byte[0];

  /** Told of each input that waited as of the checkpoint; it is the script's from then on. */
  interface HeldInput {
    void restored(int stage, String key, long id, byte[] bytes) throws Exception;
  }

  private final KeyedStateBackend<String> backend;
  private final List<ValueState<byte[]>> states = new ArrayList<>();
  private final List<MapState<Long, byte[]>> held = new ArrayList<>();
  private final List<String> heldNames;
  private final Set<String> resident = new HashSet<>();

  KeyedStates(
      List<String> keyedStages, List<String> httpStages, RuntimeContext context, KeyedStateBackend<String> backend) {
    this.backend = backend;
    for (String id : keyedStages) {
      states.add(context.getState(new ValueStateDescriptor<>("state-" + id, BytePrimitiveArraySerializer.INSTANCE)));
    }
    heldNames = httpStages.stream().map(id -> "held-" + id).collect(Collectors.toList());
    for (String name : heldNames) {
      held.add(
          context.getMapState(
              new MapStateDescriptor<>(name, LongSerializer.INSTANCE, BytePrimitiveArraySerializer.INSTANCE)));
    }
  }

  /** The key that is worked on, with its state when the script does not have it. */
  void tell(String key, BytesOut request) throws Exception {
    request.text(key);
    if (!resident.add(key)) {
      request.write(0);
      return;
    }
    request.write(1);
    backend.setCurrentKey(key);
    for (ValueState<byte[]> state : states) {
      byte[] bytes = state.value();
      request.block(bytes == null ? NONE : bytes);
    }
  }

  /** The script has it no more. */
  void letGo(String key) {
    resident.remove(key);
  }

  /** No bytes: there is no state. */
  void state(int stage, String key, byte[] bytes) throws Exception {
    backend.setCurrentKey(key);
    if (bytes.length == 0) states.get(stage).clear();
    else states.get(stage).update(bytes);
  }

  /** No bytes: it waits no more. */
  void held(int stage, String key, long id, byte[] bytes) throws Exception {
    backend.setCurrentKey(key);
    if (bytes.length == 0) held.get(stage).remove(id);
    else held.get(stage).put(id, bytes);
  }

  void restoreHeld(HeldInput input) throws Exception {
    for (int stage = 0; stage < held.size(); stage++) {
      List<String> keys;
      try (Stream<String> found = backend.getKeys(heldNames.get(stage), VoidNamespace.INSTANCE)) {
        keys = found.collect(Collectors.toList());
      }
      for (String key : keys) {
        backend.setCurrentKey(key);
        for (Map.Entry<Long, byte[]> each : held.get(stage).entries()) {
          input.restored(stage, key, each.getKey(), each.getValue());
        }
        backend.setCurrentKey(key);
        held.get(stage).clear();
      }
    }
  }
}
