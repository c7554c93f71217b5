"""Images as objects of a bucket, on Amazon S3 or a compatible server (boto3)."""

import contextlib

from image.stores import base


class S3Store(base.Store):
    kind = "s3"

    def __init__(self, name: str, conf):
        super().__init__(name, conf)
        import boto3  # imported late: it takes a second and 30 MB, needed only with such a store
        import botocore.client
        import botocore.exceptions
        self.failures = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError)
        self.client = boto3.client(
            "s3", endpoint_url=conf.s3_store_host or None, region_name=conf.s3_store_region_name or "us-east-1",
            aws_access_key_id=conf.s3_store_access_key, aws_secret_access_key=conf.s3_store_secret_key,
            config=botocore.client.Config(retries={"total_max_attempts": 3}, connect_timeout=5, read_timeout=60, s3={
                "addressing_style": "path" if conf.s3_store_host else "auto"}))
        self.bucket = conf.s3_store_bucket

    def describe(self) -> str:
        return "Objects of an S3 bucket"

    def properties(self) -> dict:
        return {"s3_store_host": self.conf.s3_store_host, "s3_store_bucket": self.bucket,
                "s3_store_large_object_chunk_size": self.conf.s3_store_large_object_chunk_size}

    def url(self, image_id: str) -> str:
        """Without the keys that OpenStack includes in it."""
        host = self.conf.s3_store_host.partition("://")[2] or "s3.amazonaws.com"
        return f"s3://{host}/{self.bucket}/{image_id}"

    def _make_bucket(self) -> None:
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except self.client.exceptions.ClientError:
            self.client.create_bucket(Bucket=self.bucket)

    def put(self, image_id: str, source: base.Source) -> None:
        """In parts; a failed upload is aborted, since the server would otherwise keep its parts."""
        try:
            if self.conf.s3_store_create_bucket_on_put:
                self._make_bucket()
            part = max(self.conf.s3_store_large_object_chunk_size << 20, -(-source.size // 10000))
            if source.size <= part:
                self.client.put_object(Bucket=self.bucket, Key=image_id, Body=source.read())
                return
            upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=image_id)["UploadId"]
            with contextlib.ExitStack() as undo:
                undo.callback(self._give_up, image_id, upload)
                self._parts(image_id, source, part, upload)
                undo.pop_all()
        except self.failures as error:
            raise self.away(error) from error

    def _give_up(self, image_id: str, upload: str) -> None:
        with contextlib.suppress(*self.failures):  # ``delete`` finds and aborts it again
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=image_id, UploadId=upload)

    def _parts(self, image_id: str, source: base.Source, size: int, upload: str) -> None:
        where = {"Bucket": self.bucket, "Key": image_id, "UploadId": upload}
        done: list[dict] = []
        while chunk := source.read(size):
            answer = self.client.upload_part(**where, PartNumber=len(done) + 1, Body=chunk)
            done.append({"PartNumber": len(done) + 1, "ETag": answer["ETag"]})
        self.client.complete_multipart_upload(**where, MultipartUpload={"Parts": done})

    def open(self, image_id: str):
        try:
            self.client.head_object(Bucket=self.bucket, Key=image_id)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
                raise self.missing(image_id) from error
            raise self.away(error) from error
        except self.failures as error:
            raise self.away(error) from error
        return base.Ranged(lambda offset: self._body(image_id, offset))

    def _body(self, image_id: str, offset: int):
        try:
            return self.client.get_object(Bucket=self.bucket, Key=image_id, Range=f"bytes={offset}-")["Body"]
        except self.failures as error:
            raise self.away(error) from error

    def delete(self, image_id: str) -> None:
        """Delete the object, and parts of killed uploads."""
        try:
            for upload in self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=image_id).get("Uploads", []):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            self.client.delete_object(Bucket=self.bucket, Key=image_id)
        except self.client.exceptions.NoSuchBucket:
            return
        except self.failures as error:
            raise self.away(error) from error

    def stored(self) -> set[str]:
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            return {found["Key"] for page in pages for found in page.get("Contents", [])}
        except self.client.exceptions.NoSuchBucket:
            return set()
        except self.failures as error:
            raise self.away(error) from error
