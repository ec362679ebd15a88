"""What a user calls: build a model by name, classify clips, teach new classes."""

from avzoo.zoo import mmengine_hub

mmengine_hub.patch_hub()  # A config of the user may have a base `avzoo::...`.
