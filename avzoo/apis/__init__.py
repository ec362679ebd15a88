"""What a user calls: build a model by name, classify clips, learn new classes."""

from avzoo.zoo import mmengine_hub

mmengine_hub.patch_hub()  # A user's config may have a base `avzoo::...`.
